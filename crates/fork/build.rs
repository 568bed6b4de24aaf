//! Compiles the two programs that this crate carries. They run in processes that are not ours, so
//! they cannot be part of the server; a package of their own would have to be installed beside it.
//!
//! It calls the compiler that compiles this crate, and no other tool.

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=worker");
    let out = PathBuf::from(given("OUT_DIR"));
    let (library, init) = (out.join("fork.so"), out.join("init"));
    let known = ["x86_64", "aarch64"].contains(&given("CARGO_CFG_TARGET_ARCH").as_str());
    let known = known && given("CARGO_CFG_TARGET_OS") == "linux";
    let musl = given("CARGO_CFG_TARGET_ENV") == "musl";
    for file in [&library, &init] {
        std::fs::write(file, "").expect("the output folder can be written to");
    }
    // The C library matters to what finds the threads: see worker/threads.rs. Where that is another
    // one nothing is carried: booted workers serve, and the server says so.
    if known && given("CARGO_CFG_TARGET_ENV") == "gnu" {
        compile("worker/lib.rs", &library, &["--crate-type=cdylib", "--crate-name=fork", "-Clto"]);
    }
    if known {
        let bare = ["-nostartfiles", "-nostdlib", "-static"].map(|arg| format!("-Clink-arg={arg}"));
        let mut arguments = vec!["--crate-type=bin", "--crate-name=init"];
        arguments.push("-Crelocation-model=static");
        arguments.extend(bare.iter().map(String::as_str));
        if musl {
            // The compiler brings a C library's start along, which this has no use for.
            arguments.push("-Clink-self-contained=no");
        }
        compile("worker/init.rs", &init, &arguments);
    }
}

fn compile(source: &str, to: &Path, arguments: &[&str]) {
    let mut rustc = Command::new(given("RUSTC"));
    rustc.args(["--edition=2024", "-Cpanic=abort", "-Copt-level=s", "-Cstrip=symbols"]);
    rustc.arg(format!("--target={}", given("TARGET"))).args(arguments);
    if let Some(linker) = std::env::var_os("RUSTC_LINKER") {
        rustc.arg(format!("-Clinker={}", linker.display()));
    }
    let done = rustc.arg("-o").arg(to).arg(source).status().expect("the compiler is there");
    assert!(done.success(), "{source} does not compile");
}

fn given(name: &str) -> String {
    let value = std::env::var_os(name).unwrap_or_else(|| panic!("cargo gives {name}"));
    value.into_string().expect("cargo gives text")
}
