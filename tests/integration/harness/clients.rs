//! Other people's programs: `cfy`, the Python clients, Java, `unzip`.
//!
//! Where they are is read from the environment or from what `tests/setup`
//! wrote. It must not know what they are asked to do.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

/// What a program printed and how it ended.
#[derive(Debug)]
pub struct Finished {
    /// The command line, for messages.
    pub command: String,
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    pub(super) fn of(command: &Command, output: Output) -> Self {
        let finished = Self {
            command: format!("{command:?}"),
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        println!("$ {}\n{}", finished.command, finished.all());
        finished
    }

    /// Everything that was printed.
    pub fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// Panics unless it exited 0 and did not break inside.
    pub fn success(self) -> Self {
        assert_eq!(self.code, 0, "{} failed:\n{}", self.command, self.all());
        self.sound()
    }

    /// Panics unless it exited 1 and said all of `words`; it must have refused, not broken.
    pub fn refused(self, words: &[&str]) -> Self {
        assert_eq!(self.code, 1, "{}:\n{}", self.command, self.all());
        self.sound().says(words)
    }

    /// Panics unless all of `words` were printed.
    pub fn says(self, words: &[&str]) -> Self {
        let all = self.all();
        for word in words {
            assert!(all.contains(word), "{} does not say {word:?}:\n{all}", self.command);
        }
        self
    }

    /// Whether the program broke inside, as its output shows.
    pub fn is_broken(&self) -> bool {
        let all = self.all();
        ["Traceback (most recent call last)", "KeyError", "TypeError"].iter().any(|sign| all.contains(sign))
    }

    fn sound(self) -> Self {
        assert!(!self.is_broken(), "{} broke:\n{}", self.command, self.all());
        self
    }
}

/// The Cloudify command line client, with a home of its own.
pub struct Cfy {
    home: TempDir,
}

impl Cfy {
    /// A client that has no profile yet.
    pub fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap() }
    }

    /// Makes a profile for a server on this machine and uses it.
    pub fn use_profile(&self, port: u16, user: &str, password: &str, tenant: &str) -> Finished {
        let port = port.to_string();
        self.run(&[
            "profiles",
            "use",
            "127.0.0.1",
            "--manager-username",
            user,
            "--manager-password",
            password,
            "--manager-tenant",
            tenant,
            "--rest-port",
            &port,
        ])
    }

    /// Runs a command in the client's home and waits for its end.
    pub fn run(&self, arguments: &[&str]) -> Finished {
        let mut command = self.command(arguments);
        let output = command.output().unwrap();
        Finished::of(&command, output)
    }

    /// Runs a command that prints JSON, and reads it.
    pub fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let finished = self.run(&[&["--json"], arguments].concat()).success();
        serde_json::from_str(&finished.stdout)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {}", finished.stdout))
    }

    /// Starts a command, to be waited for with [`Cfy::wait`].
    pub fn spawn(&self, arguments: &[&str]) -> (Command, Child) {
        let mut command = self.command(arguments);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        (command, child)
    }

    /// Waits for a started command.
    pub fn wait((command, child): (Command, Child)) -> Finished {
        let output = child.wait_with_output().unwrap();
        Finished::of(&command, output)
    }

    /// The folder in which commands run and downloads land.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.program(&installed("LIFEBOAT_TEST_CFY"), arguments)
    }

    /// A program that finds the client's home where `cfy` does.
    pub(super) fn program(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.home())
            .env("HOME", self.home())
            .env("CFY_WORKDIR", self.home())
            .env("LANG", "C.UTF-8")
            // Wide enough that no table is wrapped.
            .env("COLUMNS", "400")
            .stdin(Stdio::null());
        command
    }
}

/// Runs a script of ours with cloudify-common 7.0.5.
pub fn python_common(arguments: &[&str]) -> Finished {
    run(installed("LIFEBOAT_TEST_PYTHON_COMMON"), arguments)
}

/// Runs a script of ours with cloudify-rest-client 4.3.3.
pub fn python_rest_client(arguments: &[&str]) -> Finished {
    run(installed("LIFEBOAT_TEST_PYTHON_REST_CLIENT"), arguments)
}

/// Runs a script of ours with openapi-spec-validator.
pub fn python_openapi(arguments: &[&str]) -> Finished {
    run(installed("LIFEBOAT_TEST_PYTHON_OPENAPI"), arguments)
}

/// Runs schemathesis 4.32 in `folder`, where it keeps its notes; whatever has not ended after `seconds` has failed.
pub fn schemathesis(folder: &Path, seconds: u32, arguments: &[&str]) -> Finished {
    let mut command = Command::new("timeout");
    // Interrupted, it still tells what it has found so far.
    command.args(["--signal=INT", "--kill-after=10", &seconds.to_string()]);
    command.arg(installed("LIFEBOAT_TEST_SCHEMATHESIS")).args(arguments);
    command.env("PYTHONWARNINGS", "ignore").current_dir(folder).stdin(Stdio::null());
    let output = command.output().unwrap();
    Finished::of(&command, output)
}

/// Runs a script of ours with librato-metrics 3.1.0.
pub fn python_librato(arguments: &[&str]) -> Finished {
    run(installed("LIFEBOAT_TEST_PYTHON_LIBRATO"), arguments)
}

/// Runs a single-file Java program of ours.
pub fn java(arguments: &[&str]) -> Finished {
    run(installed("LIFEBOAT_TEST_JAVA"), arguments)
}

/// Runs `unzip`.
pub fn unzip(arguments: &[&str]) -> Finished {
    run(installed("LIFEBOAT_TEST_UNZIP"), arguments)
}

/// The path of a script in `tests/clients/`.
pub fn script(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name);
    assert!(path.exists(), "no `{}`", path.display());
    path.to_str().expect("the clone's path is UTF-8").into()
}

fn run(program: PathBuf, arguments: &[impl AsRef<OsStr>]) -> Finished {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("PYTHONWARNINGS", "ignore")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null());
    let output = command.output().unwrap();
    Finished::of(&command, output)
}

/// Where `tests/setup` put a program, or a folder of programs.
pub(super) fn installed(name: &str) -> PathBuf {
    if let Some(path) = std::env::var_os(name) {
        return path.into();
    }
    let list = cache().join("env");
    std::fs::read_to_string(&list)
        .ok()
        .and_then(|list| {
            list.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix('=')?.into()))
        })
        .unwrap_or_else(|| panic!("no `{name}` in `{}`: run tests/setup first", list.display()))
}

fn cache() -> PathBuf {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    variable("LIFEBOAT_TEST_CACHE").unwrap_or_else(|| {
        variable("XDG_CACHE_HOME")
            .or_else(|| Some(variable("HOME")?.join(".cache")))
            .expect("there is a home folder")
            .join("lifeboat-tests")
    })
}
