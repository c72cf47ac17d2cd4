//! A client by HTTP that costs next to nothing, so that the server is what is measured.
//!
//! One kept connection; a request is one write; answers must tell their length.

use anyhow::{Context as _, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// One connection of one caller.
pub struct Http {
    stream: TcpStream,
    port: u16,
    authorization: String,
    received: Vec<u8>,
}

impl Http {
    /// Connects; `authorization` is the header's value.
    pub async fn connect(port: u16, authorization: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.context("failed to connect")?;
        stream.set_nodelay(true)?;
        let authorization = authorization.to_owned();
        Ok(Self { stream, port, authorization, received: Vec::with_capacity(4096) })
    }

    /// Asks, and gives the body of the answer, which must have this status.
    pub async fn send(
        &mut self,
        status: u16,
        method: &str,
        path: &str,
        body: &str,
    ) -> anyhow::Result<String> {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.port,
            self.authorization,
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await?;
        let (found, body) = self.receive().await?;
        ensure!(found == status, "{method} {path} answered {found}: {body}");
        Ok(body)
    }

    async fn receive(&mut self) -> anyhow::Result<(u16, String)> {
        self.received.clear();
        let mut body_at = None;
        loop {
            if let Some((start, length)) = body_at
                && self.received.len() >= start + length
            {
                let status = std::str::from_utf8(self.received.get(9..12).unwrap_or_default())?.parse()?;
                return Ok((status, String::from_utf8(self.received[start..start + length].to_vec())?));
            }
            let read = self.stream.read_buf(&mut self.received).await?;
            ensure!(read > 0, "the server hung up");
            if body_at.is_none()
                && let Some(end) = self.received.windows(4).position(|window| window == b"\r\n\r\n")
            {
                body_at = Some((end + 4, length(&self.received[..end])?));
            }
        }
    }
}

fn length(head: &[u8]) -> anyhow::Result<usize> {
    for line in std::str::from_utf8(head)?.split("\r\n") {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            return Ok(value.trim().parse()?);
        }
    }
    bail!("an answer does not tell its length")
}
