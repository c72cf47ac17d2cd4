//! An error with its causes: in one line, and whether a full or failing disk is among them.

use std::error::Error;
use std::io;

/// What is said of a full disk.
pub const NO_SPACE: &str = "there is no space left on the disk of the service";

/// An error and its causes, outermost first, a cause that only repeats what was said left out.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}

/// Whether an error came of a disk without space, or of a used up quota.
pub fn is_storage_full(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if says_full(error) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Whether an error came of a disk that can't be read or written (EIO), and may be by another try.
pub fn is_disk_failure(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let failed = match (error.downcast_ref::<io::Error>(), error.downcast_ref::<rusqlite::Error>()) {
            (Some(error), _) => error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()),
            (_, Some(rusqlite::Error::SqliteFailure(failure, _))) => {
                failure.code == rusqlite::ErrorCode::SystemIoFailure
            }
            _ => false,
        };
        if failed {
            return true;
        }
        cause = error.source();
    }
    false
}

fn says_full(error: &(dyn Error + 'static)) -> bool {
    if let Some(error) = error.downcast_ref::<io::Error>() {
        // An error that is carried inside of one is no cause of it.
        return matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            || error.get_ref().is_some_and(|inner| is_storage_full(inner));
    }
    match error.downcast_ref::<rusqlite::Error>() {
        // The second is what SQLite says where the memory that readers of a log share can't be made longer.
        Some(rusqlite::Error::SqliteFailure(failure, _)) => {
            failure.code == rusqlite::ErrorCode::DiskFull
                || failure.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::DatabaseError;

    #[test]
    fn a_full_disk_is_found_wherever_it_is_said() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let sqlite =
            |code| DatabaseError::from(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None));
        for error in [
            Box::new(full()) as Box<dyn Error>,
            Box::new(io::Error::from_raw_os_error(122)),
            Box::new(io::Error::other(io::Error::other(full()))),
            Box::new(sqlite(rusqlite::ffi::SQLITE_FULL)),
            Box::new(sqlite(rusqlite::ffi::SQLITE_IOERR_SHMSIZE)),
        ] {
            assert!(is_storage_full(error.as_ref()), "{error:?}");
        }
        for error in [
            Box::new(io::Error::other("no space")) as Box<dyn Error>,
            Box::new(sqlite(rusqlite::ffi::SQLITE_IOERR_READ)),
        ] {
            assert!(!is_storage_full(error.as_ref()), "{error:?}");
        }
        assert!(is_disk_failure(&sqlite(rusqlite::ffi::SQLITE_IOERR_FSYNC)));
        assert!(is_disk_failure(&io::Error::from_raw_os_error(5)));
        assert!(!is_disk_failure(&sqlite(rusqlite::ffi::SQLITE_CONSTRAINT)));
        assert!(!is_disk_failure(&full()));
    }
}
