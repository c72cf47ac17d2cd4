//! The programs that pack and unpack, ours first.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

use crate::ours;

/// One program.
pub struct Tool {
    /// How the report calls it.
    pub name: &'static str,
    start: fn(&Path, &Path) -> anyhow::Result<Command>,
}

impl Tool {
    /// Runs it to its end; the most memory that it held, in MiB.
    pub fn run(&self, from: &Path, to: &Path) -> anyhow::Result<f64> {
        let mut command = (self.start)(from, to)?;
        // Measured by a shell's child of its own would count the shell: so by the kernel's account of this child.
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let watched = Watched::new(child.id());
        let output = child.wait_with_output()?;
        let peak = watched.end();
        ensure!(output.status.success(), "{}: {}", self.name, String::from_utf8_lossy(&output.stderr));
        Ok(peak)
    }
}

/// Looks at a process now and then, until it has ended.
struct Watched {
    is_over: std::sync::Arc<std::sync::atomic::AtomicBool>,
    thread: std::thread::JoinHandle<f64>,
}

impl Watched {
    fn new(process: u32) -> Self {
        let is_over = std::sync::Arc::<std::sync::atomic::AtomicBool>::default();
        let seen = std::sync::Arc::clone(&is_over);
        let thread = std::thread::spawn(move || {
            let mut peak = 0.0_f64;
            while !seen.load(std::sync::atomic::Ordering::Relaxed) {
                peak = peak.max(crate::machine::peak_mebibytes(&process.to_string()));
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            peak
        });
        Self { is_over, thread }
    }

    fn end(self) -> f64 {
        self.is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        self.thread.join().unwrap_or(f64::NAN)
    }
}

fn is_there(program: &str) -> bool {
    let found =
        Command::new("sh").args(["-c", &format!("command -v {program}")]).stdout(Stdio::null()).status();
    let is_there = found.is_ok_and(|status| status.success());
    if !is_there {
        eprintln!("archive: `{program}` is not installed, and left out");
    }
    is_there
}

fn own(command: &str, from: &Path, to: &Path) -> anyhow::Result<Command> {
    let mut own = Command::new(std::env::current_exe().context("no path of this program")?);
    own.arg(command).args([from, to]);
    Ok(own)
}

const MAKE_ARCHIVE: &str =
    "import shutil, sys; shutil.make_archive(sys.argv[2].removesuffix('.zip'), 'zip', sys.argv[1])";
const UNPACK_ARCHIVE: &str = "import shutil, sys; shutil.unpack_archive(sys.argv[1], sys.argv[2], 'zip')";

fn python(script: &str, from: &Path, to: &Path) -> Command {
    let mut python = Command::new("python3");
    python.args(["-c", script]).args([from, to]);
    python
}

/// What packs a folder.
pub fn packers() -> anyhow::Result<Vec<Tool>> {
    let mut tools = vec![Tool { name: "Lifeboat", start: |from, to| own(ours::PACK, from, to) }];
    if is_there("zip") {
        let start = |from: &Path, to: &Path| {
            let mut zip = Command::new("zip");
            zip.args(["-r", "-6", "-q"]).arg(to).arg(".").current_dir(from);
            Ok(zip)
        };
        tools.push(Tool { name: "`zip -r -6`", start });
    }
    if is_there("7z") {
        let start = |from: &Path, to: &Path| {
            let mut seven = Command::new("7z");
            seven
                .args(["a", "-tzip", "-mx=1", "-mmt=2", "-bso0", "-bsp0"])
                .arg(to)
                .arg(".")
                .current_dir(from);
            Ok(seven)
        };
        tools.push(Tool { name: "`7z -tzip -mx=1 -mmt=2`", start });
    }
    if is_there("python3") {
        tools.push(Tool {
            name: "Python's `shutil.make_archive`",
            start: |from, to| Ok(python(MAKE_ARCHIVE, from, to)),
        });
    }
    Ok(tools)
}

/// What unpacks an archive.
pub fn unpackers() -> anyhow::Result<Vec<Tool>> {
    let mut tools = vec![Tool { name: "Lifeboat", start: |from, to| own(ours::UNPACK, from, to) }];
    if is_there("unzip") {
        let start = |from: &Path, to: &Path| {
            let mut unzip = Command::new("unzip");
            unzip.args(["-q", "-o"]).arg(from).arg("-d").arg(to);
            Ok(unzip)
        };
        tools.push(Tool { name: "`unzip`", start });
    }
    if is_there("python3") {
        tools.push(Tool {
            name: "Python's `shutil.unpack_archive`",
            start: |from, to| Ok(python(UNPACK_ARCHIVE, from, to)),
        });
    }
    Ok(tools)
}

/// Lines for the report: which versions they are.
pub fn versions() -> Vec<String> {
    let first_line = |program: &str, arguments: &[&str], word: &str| {
        let output = Command::new(program).args(arguments).output().ok()?;
        let text =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        text.lines().find(|line| line.contains(word)).map(|line| line.trim().to_owned())
    };
    [
        first_line("zip", &["-v"], "This is Zip"),
        first_line("7z", &[], "7-Zip"),
        first_line("python3", &["-c", "import sys, zlib; print('Python', sys.version.split()[0], 'with zlib', zlib.ZLIB_RUNTIME_VERSION)"], "Python"),
        first_line("unzip", &["-v"], "UnZip"),
        first_line("nginx", &["-v"], "nginx"),
    ]
    .into_iter()
    .flatten()
    .collect()
}
