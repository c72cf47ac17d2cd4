//! Other people's programs that the benchmark starts, and where Debian puts them.

use std::path::{Path, PathBuf};

/// Where Debian has one folder for each version of PostgreSQL.
const POSTGRES: &str = "/usr/lib/postgresql";
/// Where Debian has RabbitMQ's own scripts; those on the path change to another user.
const RABBITMQ: &str = "/usr/lib/rabbitmq/bin";

/// The folder of `initdb` and `postgres`, of the newest version that is installed.
pub fn postgres() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("LIFEBOAT_BENCH_POSTGRES") {
        return Some(folder.into());
    }
    let versions = std::fs::read_dir(POSTGRES).ok()?;
    let version = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter_map(|path| Some((version(&path)?, path)));
    let folder = newest.max()?.1.join("bin");
    folder.join("initdb").exists().then_some(folder)
}

/// The folder of `rabbitmq-server` and `rabbitmqctl`.
pub fn rabbitmq() -> Option<PathBuf> {
    let folder = std::env::var_os("LIFEBOAT_TEST_RABBITMQ").map_or_else(|| RABBITMQ.into(), PathBuf::from);
    folder.join("rabbitmq-server").exists().then_some(folder)
}

/// The port mapper of Erlang.
fn epmd() -> Option<PathBuf> {
    if let Some(program) = std::env::var_os("LIFEBOAT_TEST_EPMD") {
        return Some(program.into());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("epmd")).find(|program| program.exists())
}

/// The Debian packages that are missing.
pub fn missing() -> Vec<&'static str> {
    let postgres = postgres().is_none().then_some("postgresql");
    let rabbitmq = (rabbitmq().is_none() || epmd().is_none()).then_some("rabbitmq-server");
    postgres.into_iter().chain(rabbitmq).collect()
}

/// What the harness of the tests asks for by the names that `tests/setup` writes.
pub(super) fn installed(name: &str) -> PathBuf {
    let found = match name {
        "LIFEBOAT_TEST_EPMD" => epmd(),
        "LIFEBOAT_TEST_RABBITMQ" => rabbitmq(),
        _ => None,
    };
    found.unwrap_or_else(|| panic!("no `{name}`"))
}

/// The version of RabbitMQ, read from the name of its folder: its own commands leave a port mapper running.
pub fn rabbitmq_version() -> Option<String> {
    let libraries = rabbitmq()?.parent()?.join("lib");
    std::fs::read_dir(libraries).ok()?.find_map(|entry| {
        let name = entry.ok()?.file_name();
        Some(name.to_str()?.strip_prefix("rabbitmq_server-")?.to_owned())
    })
}
