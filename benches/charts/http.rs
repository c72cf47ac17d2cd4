//! A client by HTTP that costs next to nothing, so that the server is what is measured.
//!
//! One kept connection; a request is one write. Bodies that come in chunks are given with the chunks' lengths.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use anyhow::{Context as _, ensure};

/// One connection of one caller.
pub struct Http {
    stream: TcpStream,
    port: u16,
    authorization: String,
}

impl Http {
    /// Connects; `authorization` is the header's value.
    pub fn connect(port: u16, authorization: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).context("failed to connect")?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, port, authorization: authorization.to_owned() })
    }

    /// Posts, and gives the body of the answer, which must have this status.
    pub fn post(&mut self, status: u16, path: &str, content: &str, body: &str) -> anyhow::Result<String> {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: {}\r\n\
             Content-Type: {content}\r\nContent-Length: {}\r\n\r\n{body}",
            self.port,
            self.authorization,
            body.len()
        );
        self.stream.write_all(request.as_bytes())?;
        let (found, body) = self.receive()?;
        ensure!(found == status, "POST {path} answered {found}: {body}");
        Ok(body)
    }

    fn receive(&mut self) -> anyhow::Result<(u16, String)> {
        let (mut received, mut chunk) = (Vec::new(), [0; 8192]);
        loop {
            let read = self.stream.read(&mut chunk)?;
            ensure!(read > 0, "the server hung up");
            received.extend_from_slice(&chunk[..read]);
            let text = std::str::from_utf8(&received)?;
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let status: u16 = head.get(9..12).context("no status")?.parse()?;
            let length = head.split("\r\n").find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>())
            });
            let is_whole = match length {
                Some(length) => body.len() >= length?,
                // No content; else it comes in chunks, of which the last is empty.
                None => status == 204 || body.ends_with("0\r\n\r\n"),
            };
            if is_whole {
                return Ok((status, body.to_owned()));
            }
        }
    }
}
