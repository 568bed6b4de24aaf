//! Checks of this workspace that no other tool makes. `cargo xtask tidy` runs in CI.
#![expect(clippy::print_stdout, reason = "a tool for people")]

mod tidy;

use std::process::ExitCode;

fn main() -> ExitCode {
    let command = std::env::args().nth(1);
    let found = match command.as_deref() {
        Some("tidy") => tidy::run(),
        _ => Err(anyhow::anyhow!("usage: cargo xtask tidy")),
    };
    match found {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
