//! The archive, format 1: entries streamed into one zip, and back.
//!
//! Written in one pass by an emitter of our own, so that it can be hashed and
//! sent as it is written. Read as hostile input: structure, names and sizes
//! are checked before a byte is handed on.
//!
//! **Invariant:** nothing here knows a database, the store, HTTP, a source or
//! a record. Streams go in, streams come out; the worker brings them together.

mod blocks;
mod bundle;
mod compressed;
mod deflate;
mod digest;
mod emitter;
mod end;
mod entry;
mod error;
mod inspect;
mod keys;
mod limits;
mod manifest;
mod metadata;
mod name_table;
pub mod names;
mod options;
mod pool;
mod reader;
mod reseal;
mod seal;
mod slice;
mod stream;
mod structure;
mod table;
mod times;
mod verify;
mod writer;

#[cfg(test)]
mod tests;

pub use bundle::{BundleWriter, InnerFile, TakeFile, read_bundle};
pub use digest::Digest;
pub use entry::EntryReader;
pub use error::ArchiveError;
pub use inspect::{FolderSummary, Inspection, SealedPart, inspect};
pub use keys::{Fingerprint, Identity, KeyError, PublicKey, Recipient, SigningKey};
pub use limits::Limits;
pub use manifest::{Manifest, Method, SignatureState};
pub use metadata::{ArchiveOptions, Format, LifeboatMetadata, Metadata};
pub use options::{Compression, WriterOptions, processors};
pub use reader::Archive;
pub use reseal::{Reseal, reseal};
pub use seal::{OpenedReader, SealWriter, SealedReader, open_sealed, seal};
pub use table::{EntryInfo, EntryTable};
pub use verify::Verified;
pub use writer::{Added, ArchiveWriter, Finished, ManifestSeal};

/// The name of the first entry of every archive.
pub const METADATA: &str = "metadata.json";
/// The name of the last entry but one: the list of all others.
pub const MANIFEST: &str = "manifest.json";
/// The name of the last entry: the signature over the manifest.
pub const SIGNATURE: &str = "manifest.sig";
