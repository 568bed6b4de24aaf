//! The suite every sandbox must pass.
//!
//! `host::conformance!(name, sandbox)` makes a test module of it, where `sandbox` is a
//! `fn() -> impl Sandbox`. The calling crate needs `tokio` for its tests.
//!
//! Workers are played by shell scripts, so that it is the sandbox alone that is tested.

#![expect(clippy::unwrap_used, reason = "a test suite")]

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;

use crate::{Launch, Limits, Process, Sandbox};

/// Makes a test of each function of the suite.
#[macro_export]
macro_rules! conformance {
    ($name:ident, $sandbox:expr) => {
        $crate::conformance!(@each $name, $sandbox;
            the_three_pipes_lead_where_they_should the_environment_is_what_was_given
            nothing_else_is_open a_kill_takes_descendants_along an_exit_is_told_as_it_was
            a_signal_is_told_as_it_was large_frames_pass_both_ways
            what_cannot_be_started_is_an_error the_runtime_api_is_where_the_environment_says);
    };
    (@each $name:ident, $sandbox:expr; $($test:ident)*) => {
        mod $name {
            $(
                #[tokio::test]
                async fn $test() {
                    $crate::conformance::$test(&$sandbox()).await;
                }
            )*

            #[tokio::test]
            async fn a_worker_ends_with_its_launcher() {
                $crate::conformance::a_worker_ends_with_its_launcher($sandbox()).await;
            }
        }
    };
}

/// A shell script as a program to be started.
pub fn launch(script: &str) -> Launch {
    Launch {
        program: "/bin/sh".into(),
        args: vec!["-c".into(), script.into()],
        env: vec![("GIVEN".into(), "value".into()), ("PATH".into(), "/usr/bin:/bin".into())],
        folders: Vec::new(),
        runtimes: Path::new(env!("CARGO_MANIFEST_DIR")).join("../../runtimes"),
        code: None,
        layers: Vec::new(),
        pack: None,
        template: false,
        runtime_api: false,
        limits: Limits::default(),
        reserved_bytes: 512 << 20,
    }
}

async fn run(sandbox: &dyn Sandbox, script: &str) -> Process {
    sandbox.launch(launch(script)).await.unwrap()
}

/// Reads to the end: blocks, for the program is another process.
fn all(pipe: OwnedFd) -> String {
    let mut text = String::new();
    File::from(pipe).read_to_string(&mut text).unwrap();
    text
}

/// Descriptors 3 and 4 are ours; both standard streams come in the order written.
pub async fn the_three_pipes_lead_where_they_should(sandbox: &dyn Sandbox) {
    let process =
        run(sandbox, "read line <&3; echo got $line >&4; echo one; echo two >&2; echo 3").await;
    File::from(process.events).write_all(b"hello\n").unwrap();
    assert_eq!(all(process.replies), "got hello\n");
    assert_eq!(all(process.output), "one\ntwo\n3\n");
}

/// Nothing of the server's environment reaches a function.
pub async fn the_environment_is_what_was_given(sandbox: &dyn Sandbox) {
    let process = run(sandbox, "exec env >&4").await;
    let mut found: Vec<_> = all(process.replies).lines().map(str::to_owned).collect();
    // The shell's own, and the sandbox's.
    let others = ["PWD=", "OLDPWD=", "SHLVL=", "_=", "CUMULET_"];
    found.retain(|line| !others.iter().any(|name| line.starts_with(name)));
    found.sort();
    assert_eq!(found, ["GIVEN=value", "PATH=/usr/bin:/bin"]);
}

/// No file, socket or pipe of the server's is open in a function.
pub async fn nothing_else_is_open(sandbox: &dyn Sandbox) {
    let server_file = File::open("/").unwrap();
    let process = run(sandbox, "ls /proc/self/fd >&4").await;
    let open = all(process.replies);
    drop(server_file);
    // `ls` itself opens the folder: the lowest free number.
    assert_eq!(open.split_whitespace().collect::<Vec<_>>(), ["0", "1", "2", "3", "4", "5"]);
}

/// A kill ends all that was started, not the first process alone.
pub async fn a_kill_takes_descendants_along(sandbox: &dyn Sandbox) {
    let mut process =
        run(sandbox, "(sleep 1000; true) & sleep 1000 & echo ready >&4; sleep 1000").await;
    let mut replies = File::from(process.replies);
    let mut ready = [0; 6];
    replies.read_exact(&mut ready).unwrap();
    process.running.kill();
    process.running.wait().await.unwrap();
    // Each of them held the pipe open: it ends when the last one has.
    assert_eq!(replies.read(&mut ready).unwrap(), 0);
    process.running.kill();
}

/// The exit status arrives, also where the kill comes right behind the exit.
pub async fn an_exit_is_told_as_it_was(sandbox: &dyn Sandbox) {
    let mut process = run(sandbox, "exit 7").await;
    assert_eq!(all(process.replies), "");
    process.running.kill();
    assert_eq!(process.running.wait().await.unwrap().code(), Some(7));
}

/// The signal that ended it arrives.
pub async fn a_signal_is_told_as_it_was(sandbox: &dyn Sandbox) {
    let mut process = run(sandbox, "kill -ABRT $$").await;
    assert_eq!(all(process.replies), "");
    assert_eq!(process.running.wait().await.unwrap().signal(), Some(6));
}

/// Pipes block the worker, so that it may write and read more than they hold.
pub async fn large_frames_pass_both_ways(sandbox: &dyn Sandbox) {
    let process = run(sandbox, "cat <&3 >&4").await;
    let sent = "x".repeat(1024 * 1024);
    let mut events = File::from(process.events);
    let text = sent.clone();
    let writer = std::thread::spawn(move || events.write_all(text.as_bytes()));
    assert!(all(process.replies) == sent);
    writer.join().unwrap().unwrap();
}

/// When the server dies without a word its workers do too: whatever it is that started them is gone
/// then.
pub async fn a_worker_ends_with_its_launcher(sandbox: impl Sandbox) {
    if !cfg!(target_os = "linux") {
        return;
    }
    // The loop holds no pipe that would end it.
    let mut process = run(&sandbox, "echo up >&4; while :; do :; done 3<&- 4>&1").await;
    let mut up = [0; 3];
    File::from(process.replies).read_exact(&mut up).unwrap();
    drop(sandbox);
    // Nobody is left to say how.
    let how = process.running.wait().await;
    assert!(how.is_err() || how.unwrap().signal() == Some(9));
    assert_eq!(all(process.output), "");
}

/// A program that is not there is an error of the launch, not a worker that dies.
pub async fn what_cannot_be_started_is_an_error(sandbox: &dyn Sandbox) {
    let missing = Launch { program: Path::new("/nowhere/node").into(), ..launch("") };
    assert!(sandbox.launch(missing).await.is_err());
}

/// A worker that asks for it finds the listener; the connection arrives at our end.
pub async fn the_runtime_api_is_where_the_environment_says(sandbox: &dyn Sandbox) {
    let script = "echo $AWS_LAMBDA_RUNTIME_API >&4; read line <&3";
    let with = Launch { runtime_api: true, ..launch(script) };
    let process = sandbox.launch(with).await.unwrap();
    let listener = process.runtime_api.unwrap();
    let mut replies = std::io::BufReader::new(File::from(process.replies));
    let mut address = String::new();
    std::io::BufRead::read_line(&mut replies, &mut address).unwrap();
    // Which may be an address in the worker's own network; the port is the listener's anyway.
    let port = address.trim().rsplit(':').next().unwrap().parse::<u16>().unwrap();
    assert_eq!(listener.local_addr().unwrap().port(), port);
    let without = run(sandbox, "true").await;
    assert!(without.runtime_api.is_none());
}
