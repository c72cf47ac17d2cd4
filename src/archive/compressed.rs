//! Tells content that is compressed or encrypted already, and is better stored.
//!
//! By its name, by how it begins, or by a sample that does not shrink. A wrong
//! guess costs space or time, never content.

use libdeflater::{CompressionLvl, Compressor};

/// Ends of names, in lower case, whose content does not shrink.
const SUFFIXES: &[&str] = &[
    ".7z", ".age", ".br", ".bz2", ".gif", ".gz", ".jar", ".jpeg", ".jpg", ".lz4", ".mp4", ".png", ".rpm",
    ".tgz", ".webp", ".wgn", ".whl", ".woff2", ".xz", ".zip", ".zst",
];

/// First bytes of formats whose content does not shrink.
const MAGICS: &[&[u8]] = &[
    b"\x1f\x8b\x08",
    b"PK\x03\x04",
    b"BZh",
    b"\xfd7zXZ\0",
    b"\x28\xb5\x2f\xfd",
    b"7z\xbc\xaf\x27\x1c",
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"\x04\x22\x4d\x18",
    b"age-encryption.org/",
];

/// How much of the start is tried.
const SAMPLE: usize = 64 << 10;

/// Whether `head`, the start of the content of `name`, is likely not to shrink.
pub(super) fn is_compressed(name: &str, head: &[u8]) -> bool {
    has_suffix(name) || MAGICS.iter().any(|magic| head.starts_with(magic)) || sample_does_not_shrink(head)
}

fn has_suffix(name: &str) -> bool {
    let name = name.as_bytes();
    SUFFIXES.iter().any(|suffix| {
        name.len() >= suffix.len()
            && name[name.len() - suffix.len()..].eq_ignore_ascii_case(suffix.as_bytes())
    })
}

/// Compresses the first bytes quickly; under 1/32 saved is not worth the time.
fn sample_does_not_shrink(head: &[u8]) -> bool {
    // A short content is compressed as a whole sooner than it is sampled.
    if head.len() < SAMPLE {
        return false;
    }
    let sample = &head[..SAMPLE];
    let mut output = vec![0; SAMPLE - SAMPLE / 32];
    // Level 0, the fastest, does not compress at all.
    let level = CompressionLvl::new(1).unwrap_or_default();
    Compressor::new(level).deflate_compress(sample, &mut output).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_shrink_is_known_by_name_start_or_sample() {
        let noise: Vec<u8> = (0..SAMPLE as u64)
            .map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31).wrapping_mul(i | 1) >> 37) as u8)
            .collect();
        assert!(is_compressed("a/B.TAR.GZ", b"text"));
        assert!(is_compressed("a", b"\x1f\x8b\x08 and so on"));
        assert!(is_compressed("a", &noise));
        assert!(!is_compressed("a", &noise[..100]));
        assert!(!is_compressed("gz", b"text"));
        assert!(!is_compressed("a.json", &vec![b'x'; SAMPLE]));
    }
}
