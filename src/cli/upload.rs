//! Sends an archive to the service from a file, or has the service fetch it from a URL.
//!
//! Knows nothing of what is in the archive: the service judges that.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::Method;
use reqwest::blocking::Body;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::connection::{Call, Service};
use super::error::{CliError, FailureKind};
use super::progress;

/// Uploads `from`, a file's path or an http(s) URL, as snapshot `id`; answers the snapshot.
///
/// # Errors
/// Where the id is taken, the file cannot be read, the service refuses the archive, or has got
/// other bytes than were sent.
pub fn upload(service: &Service, from: &str, id: &str) -> Result<Value, CliError> {
    let doing = format!("upload snapshot `{id}`");
    let path = ["snapshots", id, "archive"];
    if from.starts_with("http://") || from.starts_with("https://") {
        let query = [("snapshot_archive_url", from.to_owned())];
        return service.answer(&doing, service.patient_request(Method::PUT, &path, &query));
    }
    let failed = |error: &dyn std::fmt::Display| CliError::failed(&doing, format!("`{from}`: {error}"));
    let file = File::open(Path::new(from)).map_err(|error| failed(&error))?;
    let metadata = file.metadata().map_err(|error| failed(&error))?;
    if !metadata.is_file() {
        return Err(failed(&"is no file"));
    }
    refuse_if_taken(service, &doing, id)?;
    let size_bytes = metadata.len();
    let hasher = Arc::new(Mutex::new(Sha256::new()));
    let reader = Hashing {
        file,
        hasher: Arc::clone(&hasher),
        done: 0,
        progress: progress::Bytes::new(format!("uploading `{id}`"), Some(size_bytes)),
    };
    let request = service
        .patient_request(Method::PUT, &path, &[])
        .header(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))
        .body(Body::sized(reader, size_bytes));
    let snapshot = service.answer(&doing, request)?;
    let sent = hex::encode(hasher.lock().unwrap_or_else(PoisonError::into_inner).clone().finalize());
    match snapshot["sha256"].as_str() {
        Some(received) if !received.eq_ignore_ascii_case(&sent) => Err(CliError::failed(
            doing,
            format!(
                "the service received the SHA-256 {received}, sent was {sent}; delete the snapshot and try again"
            ),
        )),
        _ => Ok(snapshot),
    }
}

/// Asks first, so that nothing is sent in vain: a refusal while a body is on its way may be lost.
fn refuse_if_taken(service: &Service, doing: &str, id: &str) -> Result<(), CliError> {
    match service.call(Call::get(doing, &["snapshots", id])) {
        Ok(_) => {
            let reason = format!("a snapshot `{id}` exists; choose another id, or delete it first");
            Err(CliError::new(FailureKind::Refused, doing, reason))
        }
        Err(error) if error.kind == FailureKind::Refused => Ok(()),
        Err(error) => Err(error),
    }
}

/// A file that is hashed and counted as it is read.
struct Hashing {
    file: File,
    hasher: Arc<Mutex<Sha256>>,
    done: u64,
    progress: progress::Bytes,
}

impl Read for Hashing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.hasher.lock().unwrap_or_else(PoisonError::into_inner).update(&buffer[..read]);
        self.done += read as u64;
        self.progress.set(self.done);
        Ok(read)
    }
}
