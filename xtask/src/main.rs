//! Checks of this workspace that no other tool makes. CI runs `cargo xtask tidy` and
//! `cargo xtask coverage --check`.
#![expect(clippy::print_stdout, reason = "a tool for people")]

mod coverage;
mod tidy;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next();
    let found = match command.as_deref() {
        Some("tidy") => tidy::run(),
        Some("coverage") => coverage::run(arguments),
        _ => Err(anyhow::anyhow!(
            "usage: cargo xtask tidy\n       cargo xtask coverage [--check] [--model DIR]"
        )),
    };
    match found {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
