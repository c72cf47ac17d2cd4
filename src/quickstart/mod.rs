//! `lifeboat quickstart`: the main job, shown on two real services in this process.
//!
//! It fills one manager, takes a snapshot, brings it into a second manager and compares the two. It drives both over
//! HTTP as any client would, and reaches into neither.

mod compare;
mod folder;
mod host;
mod interrupts;
mod sample;

use std::fs::File;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use crate::archive::{Archive, ArchiveError, Inspection, Limits, SignatureState, inspect, processors};
use crate::cli::CliError;
use crate::cli::connection::{Call, Paging, Service};
use crate::cli::download::download;
use crate::cli::follow::outcome;
use crate::cli::output::{Output, field, pairs, size, table};
use crate::cli::progress::{self, Phases};
use crate::cli::upload::upload;
use crate::config::Config;
use crate::model::{TenantName, UserName};

use compare::{Comparison, Inventory};
use folder::Folder;
use host::Host;
use interrupts::Interrupts;

/// The id of the snapshot in both managers.
const SNAPSHOT: &str = "quickstart";
/// The downloaded archive in the tour's folder.
const ARCHIVE: &str = "quickstart.zip";
/// The column in which the seconds of a step end.
const WIDTH: usize = 76;
/// How often an execution is looked at.
const PAUSE: Duration = Duration::from_millis(30);

/// Runs the tour and tells of each step on stdout. With `keep` it stays until Ctrl-C or SIGTERM, and the data after it.
///
/// # Errors
/// A step that failed; two managers that are not equal; Ctrl-C before the end.
pub fn run(keep: bool) -> Result<(), CliError> {
    let interrupts = Interrupts::watch()?;
    let mut config = Config::default();
    config.log.filter = "warn".to_owned();
    crate::serve::start_log(&config)
        .map_err(|error| CliError::from_error("start the log", error.as_ref()))?;
    let folder = if keep { Folder::kept()? } else { Folder::temporary()? };
    let mut tour = Tour { output: Output::new(false), interrupts, step: 0, since: Instant::now() };
    let (first, second) = tour.run(folder.path(), keep)?;
    if keep {
        tour.stay(&first, &second, folder.path());
    }
    first.stop()?;
    second.stop()?;
    folder.close()
}

/// The tour so far.
struct Tour {
    output: Output,
    interrupts: Interrupts,
    step: u32,
    since: Instant,
}

impl Tour {
    fn run(&mut self, folder: &Path, keep: bool) -> Result<(Host, Host), CliError> {
        let begun = Instant::now();
        self.output.line("Lifeboat quickstart: the state of one manager, kept, and brought into another.\n");

        let first = Host::start("first", &folder.join("first"), Vec::new())?;
        let place =
            if keep { folder.join("first").display().to_string() } else { "a temporary folder".into() };
        self.done("Started a manager", &format!("at {}, its state in {place}", first.url()))?;

        sample::fill(&first, &self.interrupts)?;
        let filled = Inventory::read(&first)?;
        self.done("Filled it with sample state", &counted(&filled))?;

        let api = first.api(TenantName::DEFAULT)?;
        let snapshot = self.create(&api)?;
        let details = format!("{}, read back and checked before it counted as created", size(snapshot));
        self.done(&format!("Took snapshot `{SNAPSHOT}`"), &details)?;

        let archive = folder.join(ARCHIVE);
        let downloaded = download(&api, SNAPSHOT, &archive, false)?;
        self.done("Downloaded its archive", &format!("SHA-256 {}", downloaded.sha256))?;

        self.verify(&archive)?;

        let identity = first.identity_file();
        let second = Host::start("second", &folder.join("second"), vec![identity])?;
        let details = format!("at {}, with the first one's identity file", second.url());
        self.done("Started a second manager, empty", &details)?;

        let api = second.api(TenantName::DEFAULT)?;
        upload(&api, &archive.display().to_string(), SNAPSHOT)?;
        self.done("Uploaded the archive to it", "judged, every byte of it, before it was accepted")?;

        self.restore(&api)?;
        let details = "staged beside the live state, swapped in one step";
        self.done("Restored the snapshot there", details)?;

        let compared = Inventory::read(&first)?.compare(&Inventory::read(&second)?);
        let users = |host: &Host| -> Result<u64, CliError> {
            let paging = Paging { offset: 0, size: Some(1) };
            Ok(host.api(TenantName::DEFAULT)?.list(Call::get("list the users", &["users"]), paging)?.total)
        };
        let carried = users(&second)?.min(users(&first)?).saturating_sub(1);
        self.done("Compared the two over their APIs", "entity by entity, field by field")?;
        self.conclude(&compared, carried, begun)?;
        Ok((first, second))
    }

    /// Tells of a finished step, and how long it took.
    fn done(&mut self, what: &str, details: &str) -> Result<(), CliError> {
        self.step += 1;
        let seconds = format!("{:.2} s", self.since.elapsed().as_secs_f64());
        let head = format!("{:2}  {what}", self.step);
        let room = WIDTH.saturating_sub(head.chars().count());
        self.output.line(&format!("{head}{seconds:>room$}"));
        for line in wrapped(details, WIDTH - 4) {
            self.output.line(&format!("    {line}"));
        }
        self.interrupts.check()?;
        self.since = Instant::now();
        Ok(())
    }

    fn create(&self, api: &Service) -> Result<Option<u64>, CliError> {
        let doing = format!("create snapshot `{SNAPSHOT}`");
        let body = json!({ "include_metrics": true });
        let call = Call::new(Method::PUT, &doing, &["snapshots", SNAPSHOT]).body(body);
        let execution = api.call(call)?;
        let label = format!("creating `{SNAPSHOT}`");
        follow(api, &field(&execution, "id"), &doing, Some(&label), &self.interrupts)?;
        Ok(api.call(Call::get(&doing, &["snapshots", SNAPSHOT]))?["size_bytes"].as_u64())
    }

    fn verify(&mut self, archive: &Path) -> Result<(), CliError> {
        let doing = format!("verify `{}`", archive.display());
        let file = File::open(archive).map_err(|error| CliError::from_error(&doing, &error))?;
        let failed = |error: ArchiveError| CliError::from_error(&doing, &error);
        let archive = Archive::open(file, Limits::default()).map_err(failed)?;
        let mut bytes = progress::Bytes::new("verifying", Some(archive.size_bytes()));
        let verified = archive
            .verify(processors(), &mut |done, _| {
                bytes.set(done);
                ControlFlow::Continue(())
            })
            .map_err(failed)?;
        drop(bytes);
        let SignatureState::Valid { .. } = verified.signature else {
            return Err(CliError::failed(doing, "its signature is not valid"));
        };
        let details =
            format!("{} entries; signature valid; {}", verified.entries, sealed(&inspect(&archive)));
        self.done("Verified the file offline, every byte of it", &details)
    }

    fn restore(&self, api: &Service) -> Result<(), CliError> {
        let doing = format!("restore snapshot `{SNAPSHOT}`");
        let call = Call::new(Method::POST, &doing, &["snapshots", SNAPSHOT, "restore"]).body(json!({}));
        let execution = api.call(call)?;
        let label = format!("restoring `{SNAPSHOT}`");
        follow(api, &field(&execution, "id"), &doing, Some(&label), &self.interrupts)
    }

    fn conclude(&self, compared: &[Comparison], users: u64, begun: Instant) -> Result<(), CliError> {
        let rows = compared.iter().map(|kind| {
            let equal = match kind.differing.len() {
                0 => "yes".to_owned(),
                count => format!("NO: {count} differ"),
            };
            vec![kind.kind.to_owned(), kind.first.to_string(), kind.second.to_string(), equal]
        });
        let table = table(&["KIND", "FIRST", "SECOND", "EQUAL"], rows.collect());
        self.output.line(&format!("\n{table}\n"));
        let differing: Vec<_> = compared.iter().flat_map(|kind| kind.differing.iter().cloned()).collect();
        if !differing.is_empty() {
            let reason = format!("the two are not equal: {}", differing.join(", "));
            return Err(CliError::failed("compare the two managers", reason));
        }
        let seconds = begun.elapsed().as_secs_f64();
        let text = format!(
            "The two managers are equal, secrets' values, runtime properties and the bytes of archives \
             among them. {users} users came along, locked until an administrator gives them a password: \
             an archive never lets anybody in. All of it took {seconds:.1} s."
        );
        for line in wrapped(&text, WIDTH) {
            self.output.line(&line);
        }
        Ok(())
    }

    /// Says how to reach what goes on running, and waits until somebody wants the end.
    fn stay(&self, first: &Host, second: &Host, folder: &Path) {
        let lines: Vec<_> = [first, second]
            .map(|host| {
                let login =
                    format!("{}   user {}   password {}", host.url(), UserName::ADMIN, host.password());
                (host.name(), login)
            })
            .into();
        let (url, place) = (first.url(), folder.display());
        let (process, data) = (std::process::id(), first.data().display());
        self.output.line(&format!("\nBoth go on running:\n\n{}\n", pairs(&lines)));
        self.output.line(&format!("Open {url}/service/docs for all that can be called, or try\n"));
        self.output.line(&format!("  export LIFEBOAT_URL={url}"));
        self.output.line(&format!("  export LIFEBOAT_PASSWORD={}", first.password()));
        self.output.line("  lifeboat snapshot list\n");
        let end = format!(
            "Ctrl-C or `kill {process}` stops both. Their data stays in `{place}`; \
             `lifeboat serve --data {data}` starts the first again."
        );
        for line in wrapped(&end, WIDTH) {
            self.output.line(&line);
        }
        self.interrupts.wait();
        self.output.line("stopping");
    }
}

/// Waits for the end of an execution, which has to be a good one; shows its progress under `label`.
fn follow(
    api: &Service,
    id: &str,
    doing: &str,
    label: Option<&str>,
    interrupts: &Interrupts,
) -> Result<(), CliError> {
    let mut phases = label.map(Phases::new);
    loop {
        let execution = api.call(Call::get(doing, &["executions", id]))?;
        if let Some(phases) = &mut phases {
            phases.show(&execution);
        }
        if progress::END.contains(&field(&execution, "status").as_str()) {
            return outcome(doing, &execution);
        }
        interrupts.pause(PAUSE)?;
    }
}

/// What a filled manager holds, in words.
fn counted(inventory: &Inventory) -> String {
    let counts = inventory.counts().map(|(kind, count)| match count {
        1 => format!("1 {}", kind.trim_end_matches('s')),
        count => format!("{count} {kind}"),
    });
    counts.collect::<Vec<_>>().join(", ")
}

fn sealed(inspection: &Inspection) -> String {
    let parts: Vec<_> = inspection.sealed_parts.iter().map(|part| part.path.as_str()).collect();
    format!("sealed for {} keys: {}", inspection.sealed_for.len(), parts.join(", "))
}

/// A text in lines of at most `width` characters; a longer word has a line of its own.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_long_as_they_may_be() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("seventeen-letters x", 5), ["seventeen-letters", "x"]);
        assert!(wrapped("", 5).is_empty());
    }
}
