//! Confines functions with what the Linux kernel has.
//!
//! Every worker lives in namespaces of its own (users, mounts, processes, network, IPC), sees a
//! read-only file system with its code and a `/tmp` of its own, may make only the system calls
//! that runtimes need, and is limited by a cgroup. All of it is in place before the function's code
//! is there. What it reaches over the network is the server's port, on its own 127.0.0.1: it
//! connects to a socket that was made inside and is accepted outside, so that nothing else is
//! there. Where other networks may be reached, a process of its own connects to them (`egress.rs`).
//!
//! Workers are started by the *launcher*, a process of its own (`launcher.rs`). A template's slots
//! are made by the template itself (crate `fork`), one at a time, when the launcher orders them.
//!
//! Where users may not make namespaces, what is left is Landlock, seccomp and limits: [`Level`].

#![expect(unsafe_code, reason = "system calls, and forks of a process of one thread")]

mod cgroup;
mod client;
mod egress;
mod landlock;
mod launcher;
mod level;
mod limiter;
mod message;
mod notify;
mod processes;
mod root;
mod seccomp;
mod sys;
mod worker;

pub use client::{Accept, Config, LinuxSandbox};
pub use launcher::run as launch;
pub use level::Level;
