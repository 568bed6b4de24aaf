//! Runs functions: pools of booted workers, slots, invocations. Defines [`Sandbox`].
//!
//! A slot is one process that runs one event at a time of one revision of a function. A cold start
//! takes a process whose interpreter is up already and tells it what to load. Events travel over
//! inherited pipes as described in `protocol.rs`.

mod config;
mod function;
mod host;
mod invocation;
mod runtimes;
mod sandbox;

pub use config::Config;
pub use function::{Credentials, FunctionSpec};
pub use host::{Host, Parts, Stats};
pub use invocation::{EVENT_BYTES_MAX, HostError, Invocation, Invoked};
pub use runtimes::Runtimes;
pub use sandbox::{Launch, Process, Running, Sandbox};
