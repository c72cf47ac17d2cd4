//! How much a hostile archive may make us do.

/// What an archive may hold at most.
///
/// Sizes are declared in the zip's directory and checked when it is opened;
/// reading an entry never yields more than its declared size, so the limits
/// hold for what is really produced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes one entry may produce.
    pub entry_bytes: u64,
    /// Bytes all entries together may produce.
    pub total_bytes: u64,
    /// How many times longer than the archive all entries together may be.
    /// Asked only past [`Limits::ratio_from_bytes`]: one sparse file is no bomb.
    pub ratio: u64,
    /// Produced bytes below which the ratio is not asked.
    pub ratio_from_bytes: u64,
    /// Number of entries, folders among them.
    pub entries: u64,
    /// Length of one name in bytes.
    pub name_bytes: usize,
    /// Length of all names together in bytes: they are held in memory.
    pub all_names_bytes: u64,
    /// Folders above an entry, itself included.
    pub depth: usize,
    /// Size of a JSON document that is read as a whole.
    pub json_bytes: u64,
    /// Size of `manifest.json`, which grows with the number of entries.
    pub manifest_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entry_bytes: 256 << 30,
            total_bytes: 1 << 40,
            ratio: 200,
            ratio_from_bytes: 256 << 20,
            entries: 2_000_000,
            name_bytes: 4096,
            all_names_bytes: 256 << 20,
            depth: 128,
            json_bytes: 64 << 20,
            manifest_bytes: 1 << 30,
        }
    }
}
