//! Everything that descends from the first process of a room: to stop it, let it go on, or end it.

use std::fs;

use rustix::process::{Pid, Signal};

/// How often a tree of processes is looked through while it changes.
const LOOKS_MAX: usize = 64;
/// How far up a process is followed.
const PARENTS_MAX: usize = 1_024;

/// Stops all processes of a room, or lets them go on.
pub(crate) fn freeze(pid: i32, frozen: bool) {
    let signal = if frozen { Signal::STOP } else { Signal::CONT };
    let mut before = 0;
    for _ in 0..LOOKS_MAX {
        let all = descendants(pid);
        for pid in &all {
            send(*pid, signal);
        }
        // What was started while we looked was started by one of them, before it stopped.
        if all.len() <= before {
            return;
        }
        before = all.len();
    }
}

/// Ends what descends from a process that adopts orphans. Where it is the first of a namespace its
/// own end is enough, and quicker.
pub(crate) fn kill_descendants(pid: i32) {
    if is_first(pid) {
        return;
    }
    for _ in 0..LOOKS_MAX {
        let all = descendants(pid);
        if all.is_empty() {
            return;
        }
        for pid in all {
            send(pid, Signal::KILL);
        }
    }
}

fn send(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _gone = rustix::process::kill_process(pid, signal);
    }
}

/// Whether a process is number 1 in a namespace of its own.
fn is_first(pid: i32) -> bool {
    let Ok(text) = fs::read_to_string(format!("/proc/{pid}/status")) else { return true };
    let numbers = text.lines().find_map(|line| line.strip_prefix("NSpid:"));
    numbers
        .is_some_and(|numbers| numbers.split_whitespace().count() > 1 && numbers.ends_with("\t1"))
}

/// A number of `/proc/PID/status`.
pub(crate) fn field(status: &str, name: &str) -> Option<i32> {
    status.lines().find_map(|line| line.strip_prefix(name))?.trim().parse().ok()
}

/// The process, at or above this one, that is number 1 in its namespace.
pub(crate) fn first_above(mut pid: i32) -> Option<i32> {
    for _ in 0..PARENTS_MAX {
        if is_first(pid) {
            return Some(pid);
        }
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        pid = field(&status, "PPid:").filter(|parent| *parent > 0)?;
    }
    None
}

pub(crate) fn descendants(pid: i32) -> Vec<i32> {
    let mut found = Vec::new();
    let mut parents = vec![pid];
    while let Some(parent) = parents.pop() {
        let Ok(threads) = fs::read_dir(format!("/proc/{parent}/task")) else { continue };
        for thread in threads.flatten() {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
                found.push(child);
                parents.push(child);
            }
        }
    }
    found
}
