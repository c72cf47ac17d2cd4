//! Lifeboat's writer and reader, each in a process of its own, as the peers are.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::Path;

use anyhow::Context as _;
use lifeboat::archive::{
    Archive, ArchiveOptions, ArchiveWriter, LifeboatMetadata, Limits, ManifestSeal, Metadata, SigningKey,
    WriterOptions,
};

use crate::corpus;

/// The commands by which this program calls itself.
pub const PACK: &str = "pack-with-lifeboat";
pub const UNPACK: &str = "unpack-with-lifeboat";

/// Whether this is one of the commands.
pub fn is_command(text: &str) -> bool {
    text == PACK || text == UNPACK
}

/// Does what the command says.
pub fn run(command: &str, paths: &[String]) -> anyhow::Result<()> {
    let [from, to] = paths else { anyhow::bail!("it takes two paths") };
    if command == PACK { pack(from.as_ref(), to.as_ref()) } else { unpack(from.as_ref(), to.as_ref()) }
}

/// The writer as a create uses it, with its default settings.
fn pack(files: &Path, archive: &Path) -> anyhow::Result<()> {
    let signing_key = SigningKey::generate();
    let (archive_id, created_at) = (uuid::Uuid::now_v7(), chrono::Utc::now());
    let options =
        WriterOptions { spool_dir: archive.parent().map(Path::to_owned), ..WriterOptions::default() };
    let mut writer = ArchiveWriter::new(File::create(archive)?, options);
    writer.add_metadata(&Metadata::new(LifeboatMetadata {
        format: 1,
        archive_id,
        manager: "bench".to_owned(),
        created_at,
        lifeboat_version: env!("CARGO_PKG_VERSION").to_owned(),
        options: ArchiveOptions {
            include_metrics: false,
            include_credentials: false,
            include_logs: true,
            include_events: true,
            include_flow_history: false,
        },
        signer: signing_key.public_key(),
        sealed_for: Vec::new(),
        resealed_from: None,
        first_signer: None,
    }))?;
    for name in corpus::names(files)? {
        let text = name.to_str().context("a name is no UTF-8")?;
        writer.add_file(text, &mut File::open(files.join(&name))?)?;
    }
    let counts = std::collections::BTreeMap::new();
    writer.finish(ManifestSeal {
        archive_id,
        created_at,
        counts,
        signing_key: &signing_key,
        resealed_from: None,
    })?;
    Ok(())
}

/// The reader as a restore uses it: structure and signature are checked, then each content against its hash.
fn unpack(archive: &Path, files: &Path) -> anyhow::Result<()> {
    let archive = Archive::open(File::open(archive)?, Limits::default())?;
    for entry in archive.entries().iter() {
        let target = files.join(entry.path);
        if entry.is_folder() {
            fs::create_dir_all(target)?;
            continue;
        }
        fs::create_dir_all(target.parent().context("no folder")?)?;
        let mut content = BufReader::with_capacity(256 << 10, archive.read(entry.path)?);
        io::copy(&mut content, &mut File::create(target)?)?;
    }
    Ok(())
}
