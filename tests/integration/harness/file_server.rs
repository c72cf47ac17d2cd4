//! A small HTTP server on this machine from which a snapshot can be fetched by URL.
//!
//! It answers GET of the paths that it was given, and must not know who asks.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What is answered for one path.
#[derive(Clone)]
enum Answer {
    File(Vec<u8>),
    Redirect(String),
    /// Says the whole length, sends half of it, and hangs up.
    Half(Vec<u8>),
}

/// A file server; its thread ends with the test's process.
pub struct FileServer {
    port: u16,
    answers: Arc<Mutex<HashMap<String, Answer>>>,
}

impl FileServer {
    /// Listens on a port that the system picks.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let answers = Arc::<Mutex<HashMap<String, Answer>>>::default();
        let shared = Arc::clone(&answers);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let answers = Arc::clone(&shared);
                // A caller who hangs up is none of the test's business.
                thread::spawn(move || drop(answer(stream, &answers)));
            }
        });
        Self { port, answers }
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

    /// The URL of a path, served or not.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn add(&self, path: &str, answer: Answer) -> String {
        self.answers.lock().unwrap().insert(path.into(), answer);
        self.url(path)
    }
}

fn answer(mut stream: TcpStream, answers: &Mutex<HashMap<String, Answer>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let path = request.split(' ').nth(1).unwrap_or_default();
    let answer = answers.lock().unwrap().get(path).cloned();
    match answer {
        None => write!(stream, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?,
        Some(Answer::Redirect(to)) => write!(
            stream,
            "HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )?,
        Some(Answer::File(bytes)) => {
            head(&mut stream, bytes.len())?;
            stream.write_all(&bytes)?;
        }
        Some(Answer::Half(bytes)) => {
            head(&mut stream, bytes.len())?;
            stream.write_all(&bytes[..bytes.len() / 2])?;
        }
    }
    stream.flush()?;
    stream.shutdown(Shutdown::Both)
}

fn head(stream: &mut TcpStream, length: usize) -> std::io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: application/zip\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n"
    )
}
