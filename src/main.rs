//! The binary `lifeboat`: everything it can do is in the library.

use std::process::ExitCode;

/// Gives what a large job held back to the system, which the system's own allocator keeps in an arena for each thread.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    lifeboat::cli::main()
}
