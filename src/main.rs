//! The binary `lifeboat`: everything it can do is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    lifeboat::cli::main()
}
