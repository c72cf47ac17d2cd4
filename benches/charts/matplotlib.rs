//! matplotlib as a child process that draws the same series, in an environment that has it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, ensure};
use tempfile::TempDir;

use crate::pictures::Drawer;

/// A Python with matplotlib; dropping it removes an environment that was made for it.
pub struct Python {
    program: PathBuf,
    _folder: Option<TempDir>,
}

impl Python {
    /// The one that the environment names, or a new environment with matplotlib from the package index.
    pub fn find() -> anyhow::Result<Self> {
        if let Some(program) = std::env::var_os("LIFEBOAT_BENCH_PYTHON") {
            return Ok(Self { program: program.into(), _folder: None });
        }
        eprintln!("making a Python environment with matplotlib");
        let folder = tempfile::tempdir()?;
        run(Command::new("python3").args(["-m", "venv"]).arg(folder.path()))?;
        let program = folder.path().join("bin/python");
        run(Command::new(&program).args(["-m", "pip", "install", "--quiet", "matplotlib"]))?;
        Ok(Self { program, _folder: Some(folder) })
    }

    /// Starts it, if it has what is needed.
    pub fn start(&self) -> anyhow::Result<Drawer> {
        run(Command::new(&self.program).args(["-c", "import matplotlib, numpy"]))?;
        Drawer::start(Command::new(&self.program).args(["-c", include_str!("draw.py")]))
    }
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.output().with_context(|| format!("failed to run {command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
