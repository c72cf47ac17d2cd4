//! A connection of bare bytes: what no library of a client would send, and what came back, to the last byte.
//!
//! It knows HTTP/1.1 as far as heads and lengths go; it must not know what is claimed.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{ADMIN_PASSWORD, TestServer};

/// Seconds that an answer may keep a test waiting.
const ANSWER_SECONDS: u64 = 120;

/// A connection to a server, on which `admin` talks.
pub struct Connection(TcpStream);

/// What came back before the connection was over.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// The lines of the head after the first one.
    pub head: Vec<String>,
    pub body: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub fn open(server: &TestServer) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(ANSWER_SECONDS))).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    /// Sends the head of a request; each of `lines` is a header.
    pub fn begin(server: &TestServer, method: &str, target: &str, lines: &[&str]) -> Self {
        let mut connection = Self::open(server);
        let credentials = STANDARD.encode(format!("admin:{ADMIN_PASSWORD}"));
        let mut head =
            format!("{method} {target} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {credentials}\r\n");
        for line in lines {
            head.push_str(line);
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        assert!(connection.send(head.as_bytes()), "nobody takes the head of a request");
        connection
    }

    /// Sends bytes; false where the other side takes no more.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).and_then(|()| self.0.flush()).is_ok()
    }

    /// Says that nothing more is coming, and goes on listening.
    pub fn end(&mut self) {
        // The other side may have hung up already.
        let _ = self.0.shutdown(Shutdown::Write);
    }

    /// Breaks the connection off, without a word of farewell.
    pub fn reset(self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        runtime.block_on(async {
            self.0.set_nonblocking(true).unwrap();
            tokio::net::TcpStream::from_std(self.0).unwrap().set_zero_linger().unwrap();
        });
    }

    /// The next `length` bytes, whatever they mean.
    pub fn read(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// Adds all that still comes.
    pub fn read_to_end(&mut self, bytes: &mut Vec<u8>) {
        self.0.read_to_end(bytes).unwrap();
    }

    /// The answer to what was sent, as much of it as comes; none where the connection ends without one.
    pub fn answer(&mut self) -> Option<Answer> {
        self.answer_after(Vec::new())
    }

    /// As [`Connection::answer`], of which the first bytes were read already.
    pub fn answer_after(&mut self, mut bytes: Vec<u8>) -> Option<Answer> {
        let head_length = loop {
            if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            if !self.read_some(&mut bytes) {
                return None;
            }
        };
        let head = String::from_utf8(bytes[..head_length].to_vec()).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let head: Vec<String> = lines.filter(|line| !line.is_empty()).map(str::to_owned).collect();
        let mut answer = Answer { status, head, body: bytes.split_off(head_length) };
        let length = answer.length();
        while length.is_none_or(|length| answer.body.len() < length) && self.read_some(&mut answer.body) {}
        // What stands behind it is an answer to something else.
        answer.body.truncate(length.unwrap_or(usize::MAX));
        Some(answer)
    }

    fn read_some(&mut self, bytes: &mut Vec<u8>) -> bool {
        let mut piece = [0; 64 << 10];
        match self.0.read(&mut piece) {
            Ok(0) => false,
            Ok(length) => {
                bytes.extend_from_slice(&piece[..length]);
                true
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                panic!("neither an answer nor an end within {ANSWER_SECONDS} s")
            }
            Err(_) => false,
        }
    }
}

impl Answer {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.iter().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The length of the body that the head promises.
    pub fn length(&self) -> Option<usize> {
        self.header("content-length").map(|length| length.parse().unwrap())
    }

    /// The JSON body, or null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}
