//! Why an archive could not be written or is not accepted.
//!
//! Names from archives are shown escaped and shortened; key texts never are.

use std::io;

/// Why an archive operation failed.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error("failed to write the archive")]
    Write(#[source] io::Error),
    #[error("failed to read the archive")]
    Read(#[source] io::Error),
    #[error("failed to read the content for entry `{entry}`")]
    ReadContent { entry: String, source: io::Error },
    #[error("failed to use a temporary file for entry `{entry}`")]
    Spool { entry: String, source: io::Error },

    /// The bytes are no zip at all.
    #[error("not a zip archive: {reason}")]
    NotZip { reason: String },
    /// A safe zip, but no snapshot.
    #[error("not a snapshot archive: {reason}")]
    NotSnapshot { reason: String },
    /// An archive of another manager, where only ours can be used.
    #[error("the archive was not made by a Lifeboat: only such archives can be sealed anew")]
    NotOurs,
    /// A snapshot of a newer Lifeboat.
    #[error("archive format {format} is not supported, only format 1: use a newer lifeboat")]
    UnknownFormat { format: u64 },
    /// The structure is torn, cut or not what format 1 prescribes.
    #[error("the archive is damaged: {reason}")]
    Damaged { reason: String },
    /// One entry's bytes are not what they should be.
    #[error("entry `{entry}` is damaged: {reason}")]
    DamagedEntry { entry: String, reason: String },
    /// A name that could leave the folder, or mean two things.
    #[error("entry name `{name}` is refused: {reason}")]
    BadName { name: String, reason: &'static str },
    /// An entry that no snapshot has: encrypted, a link, a device.
    #[error("entry `{entry}` is refused: {reason}")]
    RefusedEntry { entry: String, reason: String },
    /// A limit of [`Limits`](super::Limits) was passed.
    #[error("entry `{entry}` passes the limit of {limit} {what}")]
    Limit { entry: String, what: &'static str, limit: u64 },
    #[error("manifest and archive do not agree: {reason}")]
    ManifestMismatch { reason: String },
    #[error("the signature of the manifest is not valid")]
    BadSignature,
    #[error("the archive has no entry `{0}`")]
    NoEntry(String),
    #[error("entry `{entry}` is not the JSON that was expected")]
    Json { entry: String, source: serde_json::Error },
    #[error("cancelled")]
    Cancelled,

    /// The caller of the writer broke its order.
    #[error("entry `{entry}` cannot be added: {reason}")]
    CannotAdd { entry: String, reason: String },
    /// A stream ended early or went on past its promised length.
    #[error("entry `{entry}` was announced with {expected} bytes and has {actual}")]
    LengthMismatch { entry: String, expected: u64, actual: u64 },
    #[error("the file for entry `{entry}` changed while it was read")]
    ContentChanged { entry: String },
    #[error("an earlier failure left this archive unfinished: start it anew")]
    Unfinished,

    /// None of the identities opens a sealed part.
    #[error("none of the {tried} known keys opens this sealed part: add the identity it was sealed for")]
    NoKey { tried: usize },
    #[error("the sealed part is damaged: {reason}")]
    DamagedSeal { reason: String },
    #[error("failed to seal: {reason}")]
    Seal { reason: String },
}

impl ArchiveError {
    /// Whether the bytes of the archive are to blame, and not this machine or its settings.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::NotZip { .. }
            | Self::NotSnapshot { .. }
            | Self::NotOurs
            | Self::UnknownFormat { .. }
            | Self::Damaged { .. }
            | Self::DamagedEntry { .. }
            | Self::BadName { .. }
            | Self::RefusedEntry { .. }
            | Self::Limit { .. }
            | Self::ManifestMismatch { .. }
            | Self::BadSignature
            | Self::NoEntry(_)
            | Self::Json { .. }
            | Self::DamagedSeal { .. } => true,
            Self::Write(_)
            | Self::Read(_)
            | Self::ReadContent { .. }
            | Self::Spool { .. }
            | Self::Cancelled
            | Self::CannotAdd { .. }
            | Self::LengthMismatch { .. }
            | Self::ContentChanged { .. }
            | Self::Unfinished
            | Self::NoKey { .. }
            | Self::Seal { .. } => false,
        }
    }

    /// Brings an error of ours back that went through [`io::Read`].
    pub(super) fn from_read(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(own) => own,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Self::damaged("it ends within an entry: it is truncated")
            }
            Err(error) => Self::Read(error),
        }
    }

    /// Brings an error of ours back that went through [`io::Write`]: a sink stops the writer where it was cancelled.
    pub(super) fn from_write(error: io::Error) -> Self {
        error.downcast::<Self>().unwrap_or_else(Self::Write)
    }

    pub(super) fn damaged(reason: impl Into<String>) -> Self {
        Self::Damaged { reason: reason.into() }
    }

    pub(super) fn damaged_entry(entry: &str, reason: impl Into<String>) -> Self {
        Self::DamagedEntry { entry: shown(entry), reason: reason.into() }
    }

    pub(super) fn refused_entry(entry: &str, reason: impl Into<String>) -> Self {
        Self::RefusedEntry { entry: shown(entry), reason: reason.into() }
    }

    pub(super) fn limit(entry: &str, what: &'static str, limit: u64) -> Self {
        Self::Limit { entry: shown(entry), what, limit }
    }
}

impl From<ArchiveError> for io::Error {
    fn from(error: ArchiveError) -> Self {
        Self::other(error)
    }
}

/// Makes a name from an archive fit for a message: no control characters, at most 200 characters.
pub(super) fn shown(name: &str) -> String {
    const MOST: usize = 200;
    let mut text: String = name.chars().take(MOST).flat_map(char::escape_debug).collect();
    if name.chars().nth(MOST).is_some() {
        text.push('…');
    }
    text
}
