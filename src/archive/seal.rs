//! Sealing: a stream encrypted with age for some keys, its length hidden.
//!
//! Inside the age payload stands `lifeboat-seal-1\0`, then frames (a length in
//! four bytes, big end first, and so many bytes), then a frame of length 0,
//! then zeros up to a padded length (Padmé, and at least 1 KiB). So any length
//! can be streamed both ways, and what can be seen tells little of it.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::rc::Rc;

use age::stream::{StreamReader, StreamWriter};
use age::{Decryptor, Encryptor};
use zeroize::Zeroizing;

use super::error::ArchiveError;
use super::keys::{Identity, Recipient};

const MAGIC: &[u8] = b"lifeboat-seal-1\0";
/// How much of the content one frame holds, but for the last.
const FRAME_BYTES: usize = 64 << 10;
const LEAST_BYTES: u64 = 1 << 10;

/// The length to which `length` bytes are padded: at most 12 % more, and few bits of it said.
///
/// Padmé, from "Reducing Metadata Leakage from Encrypted Files and Communication with PURBs".
fn padded(length: u64) -> u64 {
    let length = length.max(LEAST_BYTES);
    let exponent = length.ilog2();
    let kept = exponent.ilog2() + 1;
    let mask = (1 << (exponent - kept)) - 1;
    (length + mask) & !mask
}

/// Encrypts what is written to it, into `sink`. Nothing can be opened before [`SealWriter::finish`].
pub struct SealWriter<W: Write> {
    cipher: StreamWriter<W>,
    frame: Zeroizing<Vec<u8>>,
    /// Bytes given to the cipher so far.
    length: u64,
}

impl<W: Write> SealWriter<W> {
    /// Begins a sealed part for `recipients`, of whom there has to be at least one.
    pub fn new(sink: W, recipients: &[Recipient]) -> Result<Self, ArchiveError> {
        let recipients = recipients.iter().map(|recipient| &recipient.0 as _);
        let encryptor = Encryptor::with_recipients(recipients).map_err(|error| ArchiveError::Seal {
            reason: match error {
                age::EncryptError::MissingRecipients => "there is no key to seal for".into(),
                other => other.to_string(),
            },
        })?;
        let mut cipher = encryptor.wrap_output(sink).map_err(ArchiveError::from_write)?;
        cipher.write_all(MAGIC).map_err(ArchiveError::from_write)?;
        Ok(Self {
            cipher,
            frame: Zeroizing::new(Vec::with_capacity(FRAME_BYTES)),
            length: MAGIC.len() as u64,
        })
    }

    /// Pads, writes the end and gives the sink back.
    pub fn finish(mut self) -> Result<W, ArchiveError> {
        self.finish_cipher().map_err(ArchiveError::from_write)?;
        self.cipher.finish().map_err(ArchiveError::from_write)
    }

    fn finish_cipher(&mut self) -> io::Result<()> {
        self.write_frame()?;
        self.cipher.write_all(&[0; 4])?;
        self.length += 4;
        let padding = padded(self.length) - self.length;
        io::copy(&mut io::repeat(0).take(padding), &mut self.cipher)?;
        Ok(())
    }

    fn write_frame(&mut self) -> io::Result<()> {
        if self.frame.is_empty() {
            return Ok(());
        }
        let length = u32::try_from(self.frame.len()).expect("a frame has at most 64 KiB");
        self.cipher.write_all(&length.to_be_bytes())?;
        self.cipher.write_all(&self.frame)?;
        self.length += 4 + u64::from(length);
        self.frame.clear();
        Ok(())
    }
}

impl<W: Write> Write for SealWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.frame.len() == FRAME_BYTES {
            self.write_frame()?;
        }
        let taken = bytes.len().min(FRAME_BYTES - self.frame.len());
        self.frame.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    /// Does nothing: where frames end has to depend on the content only.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Seals all of `plain` into memory.
pub fn seal<R: Read>(plain: R, recipients: &[Recipient]) -> Result<Vec<u8>, ArchiveError> {
    let mut cipher = Vec::new();
    SealedReader::new(plain, recipients)?.read_to_end(&mut cipher).map_err(ArchiveError::from_read)?;
    Ok(cipher)
}

/// Gives the ciphertext of `plain` to whoever reads, such as an archive writer.
pub struct SealedReader<R: Read> {
    plain: R,
    writer: Option<SealWriter<Shared>>,
    ready: Shared,
    given: usize,
    buffer: Zeroizing<Vec<u8>>,
}

impl<R: Read> SealedReader<R> {
    /// Begins to seal `plain` for `recipients`.
    pub fn new(plain: R, recipients: &[Recipient]) -> Result<Self, ArchiveError> {
        let ready = Shared::default();
        Ok(Self {
            plain,
            writer: Some(SealWriter::new(ready.clone(), recipients)?),
            ready,
            given: 0,
            buffer: Zeroizing::new(vec![0; FRAME_BYTES]),
        })
    }
}

impl<R: Read> Read for SealedReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut ready = self.ready.0.borrow_mut();
            let rest = &ready[self.given..];
            if !rest.is_empty() || buffer.is_empty() {
                let length = rest.len().min(buffer.len());
                buffer[..length].copy_from_slice(&rest[..length]);
                self.given += length;
                return Ok(length);
            }
            ready.clear();
            self.given = 0;
            drop(ready);
            let Some(writer) = &mut self.writer else {
                return Ok(0);
            };
            match self.plain.read(&mut self.buffer)? {
                0 => {
                    if let Some(writer) = self.writer.take() {
                        writer.finish()?;
                    }
                }
                read => writer.write_all(&self.buffer[..read])?,
            }
        }
    }
}

/// A buffer that its writer and its reader both hold.
#[derive(Clone, Default)]
struct Shared(Rc<RefCell<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Opens a sealed part with whichever of `identities` fits; [`ArchiveError::NoKey`] if none does.
///
/// Only the header has been read when this returns, so it also answers whether a key fits.
pub fn open_sealed<R: Read>(cipher: R, identities: &[Identity]) -> Result<OpenedReader<R>, ArchiveError> {
    let damaged = |error: age::DecryptError| match error {
        age::DecryptError::NoMatchingKeys => ArchiveError::NoKey { tried: identities.len() },
        age::DecryptError::Io(error) => seal_error(error),
        age::DecryptError::ExcessiveWork { .. } => damaged_seal("it is sealed with a passphrase"),
        other => damaged_seal(&other.to_string()),
    };
    let decryptor = Decryptor::new(cipher).map_err(damaged)?;
    if decryptor.is_scrypt() {
        return Err(damaged_seal("it is sealed with a passphrase"));
    }
    let mut plain = decryptor.decrypt(identities.iter().map(|identity| &identity.0 as _)).map_err(damaged)?;
    let mut magic = [0; MAGIC.len()];
    plain.read_exact(&mut magic).map_err(seal_error)?;
    if magic != MAGIC {
        return Err(damaged_seal("it is not a sealed part of format 1"));
    }
    Ok(OpenedReader { plain, frame_left: 0, is_at_end: false })
}

/// The content of a sealed part; made by [`open_sealed`].
///
/// Ends well only after the authenticated end of the ciphertext was seen.
pub struct OpenedReader<R: Read> {
    plain: StreamReader<R>,
    frame_left: usize,
    is_at_end: bool,
}

impl<R: Read> OpenedReader<R> {
    fn read_padding(&mut self) -> io::Result<()> {
        let mut buffer = [0; 4096];
        loop {
            match self.plain.read(&mut buffer)? {
                0 => return Ok(()),
                read if buffer[..read].iter().all(|byte| *byte == 0) => {}
                _ => return Err(damaged_seal("there is more in it than its content").into()),
            }
        }
    }

    fn read_on(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.is_at_end || buffer.is_empty() {
            return Ok(0);
        }
        if self.frame_left == 0 {
            let mut length = [0; 4];
            self.plain.read_exact(&mut length)?;
            self.frame_left = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
            if self.frame_left == 0 {
                self.read_padding()?;
                self.is_at_end = true;
                return Ok(0);
            }
        }
        let most = self.frame_left.min(buffer.len());
        let read = self.plain.read(&mut buffer[..most])?;
        if read == 0 {
            return Err(damaged_seal("it ends within its content").into());
        }
        self.frame_left -= read;
        Ok(read)
    }
}

impl<R: Read> Read for OpenedReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_on(buffer).map_err(|error| seal_error(error).into())
    }
}

fn damaged_seal(reason: &str) -> ArchiveError {
    ArchiveError::DamagedSeal { reason: reason.to_owned() }
}

/// Tells what the ciphertext is to blame for from what its reader failed at.
fn seal_error(error: io::Error) -> ArchiveError {
    match error.downcast::<ArchiveError>() {
        Ok(own) => own,
        Err(error) => match error.kind() {
            io::ErrorKind::UnexpectedEof => damaged_seal("it is truncated"),
            io::ErrorKind::InvalidData => damaged_seal("its bytes are not what was sealed"),
            _ => ArchiveError::Read(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn open(cipher: &[u8], identities: &[Identity]) -> Result<Vec<u8>, ArchiveError> {
        let mut plain = Vec::new();
        open_sealed(cipher, identities)?.read_to_end(&mut plain).map_err(ArchiveError::from_read)?;
        Ok(plain)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn what_was_sealed_is_opened_by_each_recipient(
            plain in prop::collection::vec(any::<u8>(), 0..200_000),
        ) {
            let keys = [Identity::generate(), Identity::generate()];
            let cipher = seal(&plain[..], &keys.each_ref().map(Identity::recipient)).unwrap();
            for key in &keys {
                prop_assert_eq!(&open(&cipher, std::slice::from_ref(key)).unwrap(), &plain);
            }
        }

        #[test]
        fn padding_is_bounded_and_hides_most_lengths(length in 0u64..1 << 40) {
            let padded_length = padded(length);
            prop_assert!(padded_length >= length.max(LEAST_BYTES));
            prop_assert!(padded_length as f64 <= length.max(LEAST_BYTES) as f64 * 1.12);
            prop_assert_eq!(padded(padded_length), padded_length);
            let exponent = padded_length.ilog2();
            let bits = u64::BITS - padded_length.leading_zeros() - padded_length.trailing_zeros();
            prop_assert!(bits <= exponent.ilog2() + 2);
        }
    }

    #[test]
    fn short_contents_have_one_length() {
        let recipient = Identity::generate().recipient();
        // The header before the payload has a random length.
        let payload_length = |plain: &[u8]| {
            let cipher = seal(plain, std::slice::from_ref(&recipient)).unwrap();
            let end = cipher.windows(5).position(|bytes| bytes == b"\n--- ").unwrap();
            cipher.len() - end
        };
        let lengths = [0, 1, 16, 500, 900].map(|length| payload_length(&vec![7; length]));
        assert!(lengths.windows(2).all(|pair| pair[0] == pair[1]), "{lengths:?}");
    }

    #[test]
    fn writing_in_pieces_and_reading_in_pieces_is_the_same() {
        let key = Identity::generate();
        let plain: Vec<u8> = (0..300_001u32).map(|i| i as u8).collect();
        let mut writer = SealWriter::new(Vec::new(), &[key.recipient()]).unwrap();
        for piece in plain.chunks(777) {
            writer.write_all(piece).unwrap();
            writer.flush().unwrap();
        }
        let cipher = writer.finish().unwrap();
        assert_eq!(open(&cipher, &[key]).unwrap(), plain);
    }

    #[test]
    fn a_wrong_key_and_no_key_are_told() {
        let key = Identity::generate();
        let cipher = seal(&b"x"[..], &[key.recipient()]).unwrap();
        let error = open(&cipher, &[Identity::generate(), Identity::generate()]).unwrap_err();
        assert!(matches!(error, ArchiveError::NoKey { tried: 2 }), "{error}");
        let error = open(&cipher, &[]).unwrap_err();
        assert!(matches!(error, ArchiveError::NoKey { tried: 0 }), "{error}");
        assert!(matches!(seal(&b"x"[..], &[]), Err(ArchiveError::Seal { .. })));
    }

    #[test]
    fn every_cut_and_every_changed_byte_is_seen() {
        let key = [Identity::generate()];
        let cipher = seal(&b"a secret"[..], &[key[0].recipient()]).unwrap();
        for length in 0..cipher.len() {
            let error = open(&cipher[..length], &key).unwrap_err();
            assert!(!matches!(error, ArchiveError::Read(_)), "{length}: {error:?}");
        }
        for at in 0..cipher.len() {
            let mut bad = cipher.clone();
            bad[at] ^= 1;
            assert!(open(&bad, &key).is_err(), "byte {at}");
        }
    }
}
