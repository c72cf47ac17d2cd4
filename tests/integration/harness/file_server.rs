//! A small HTTP server on this machine from which a snapshot can be fetched by URL, honest or not.
//!
//! It answers GET of the paths that it was given, and must not know who asks.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What is answered for one path.
#[derive(Clone)]
enum Answer {
    File(Vec<u8>),
    Redirect(String),
    /// Says the whole length, sends half of it, and hangs up.
    Half(Vec<u8>),
    /// Sends this, head and all, and hangs up.
    Bytes(Vec<u8>),
    /// Sends the first once, and the second again and again.
    Endless(Vec<u8>, Vec<u8>),
    /// Sends this, head and all, and then nothing more, without hanging up.
    Stalled(Vec<u8>),
}

/// A file server; its thread ends with the test's process.
pub struct FileServer {
    address: SocketAddr,
    answers: Arc<Mutex<HashMap<String, Answer>>>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl FileServer {
    /// Listens on a port that the system picks.
    pub fn start() -> Self {
        Self::start_at(Ipv4Addr::LOCALHOST)
    }

    /// As [`FileServer::start`], on another address of this machine.
    pub fn start_at(address: Ipv4Addr) -> Self {
        let listener = TcpListener::bind((address, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let server = Self { address, answers: Arc::default(), heads: Arc::default() };
        let (answers, heads) = (Arc::clone(&server.answers), Arc::clone(&server.heads));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answers, heads) = (Arc::clone(&answers), Arc::clone(&heads));
                // A caller who hangs up is none of the test's business.
                thread::spawn(move || drop(answer(stream, &answers, &heads)));
            }
        });
        server
    }

    /// Serves `bytes` under `path`, and gives the URL.
    pub fn file(&self, path: &str, bytes: Vec<u8>) -> String {
        self.add(path, Answer::File(bytes))
    }

    /// Answers `path` with a redirect, and gives the URL.
    pub fn redirect(&self, path: &str, to: &str) -> String {
        self.add(path, Answer::Redirect(to.into()))
    }

    /// Breaks off in the middle of `bytes`, and gives the URL.
    pub fn half(&self, path: &str, bytes: Vec<u8>) -> String {
        self.add(path, Answer::Half(bytes))
    }

    /// Answers with these bytes, head and all, and gives the URL.
    pub fn bytes(&self, path: &str, bytes: Vec<u8>) -> String {
        self.add(path, Answer::Bytes(bytes))
    }

    /// Answers with `first` and then with `again` for as long as somebody listens, and gives the URL.
    pub fn endless(&self, path: &str, first: &[u8], again: &[u8]) -> String {
        self.add(path, Answer::Endless(first.to_vec(), again.to_vec()))
    }

    /// Answers with these bytes, and then with nothing, and gives the URL.
    pub fn stalled(&self, path: &str, bytes: Vec<u8>) -> String {
        self.add(path, Answer::Stalled(bytes))
    }

    /// The URL of a path, served or not.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The port that the system picked.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The heads of all requests that came.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    fn add(&self, path: &str, answer: Answer) -> String {
        self.answers.lock().unwrap().insert(path.into(), answer);
        self.url(path)
    }
}

/// The head of an answer that is a file of this length.
pub fn head_of_file(length: usize) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/zip\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    )
}

fn answer(
    mut stream: TcpStream,
    answers: &Mutex<HashMap<String, Answer>>,
    heads: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut request = String::new();
    while reader.read_line(&mut request)? > 2 {}
    let path = request.split(' ').nth(1).unwrap_or_default();
    let answer = answers.lock().unwrap().get(path).cloned();
    heads.lock().unwrap().push(request);
    match answer {
        None => write!(stream, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?,
        Some(Answer::Redirect(to)) => write!(
            stream,
            "HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )?,
        Some(Answer::File(bytes)) => {
            stream.write_all(head_of_file(bytes.len()).as_bytes())?;
            stream.write_all(&bytes)?;
        }
        Some(Answer::Half(bytes)) => {
            stream.write_all(head_of_file(bytes.len()).as_bytes())?;
            stream.write_all(&bytes[..bytes.len() / 2])?;
        }
        Some(Answer::Bytes(bytes)) => stream.write_all(&bytes)?,
        Some(Answer::Endless(first, again)) => {
            stream.write_all(&first)?;
            loop {
                stream.write_all(&again)?;
            }
        }
        Some(Answer::Stalled(bytes)) => {
            stream.write_all(&bytes)?;
            stream.flush()?;
            // Until the caller has had enough.
            reader.read_to_end(&mut Vec::new())?;
        }
    }
    stream.flush()?;
    stream.shutdown(Shutdown::Both)
}
