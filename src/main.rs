//! The thin binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    pregonero::cli::main()
}
