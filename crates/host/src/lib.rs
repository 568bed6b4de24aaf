//! Runs functions: pools of booted workers, slots, invocations. Defines [`Sandbox`].
//!
//! A slot is one process that runs one event at a time of one revision of a function. A cold start
//! takes a process whose interpreter is up already and tells it what to load. Events travel over
//! inherited pipes as described in `protocol.rs`, or, for programs that bring their own runtime,
//! by the Runtime API, see `runtime_api`.
//!
//! An event's way: [`Host::invoke`] → `places` (an idle slot, or the right to start one) → `pool`
//! (a booted worker) → `slot` (one function, its log lines, its endings) → `worker` (a process and
//! its pipes). A response that is streamed leaves that way in `answer`, for `response`.

mod answer;
mod arrivals;
mod assignment;
mod config;
pub mod conformance;
mod debug;
mod egress;
mod environment;
mod failures;
mod frames;
mod function;
mod host;
mod interpreter;
mod invocation;
mod journal;
mod load;
mod packs;
mod places;
mod pool;
mod protocol;
mod response;
mod runtime_api;
mod runtimes;
mod sandbox;
mod slot;
mod templates;
mod worker;

pub use config::Config;
pub use debug::{Debugged, Door, Inside, Language};
pub use egress::{Egress, Rule};
pub use environment::{Doing, Environs, Origin, Way};
pub use failures::Failure;
pub use function::{Credentials, FunctionSpec};
pub use host::{Host, Live, Parts, Stats};
pub use invocation::{EVENT_BYTES_MAX, HostError, Invocation, Invoked};
pub use response::{Piece, ResponseReader, ResponseWriter, STREAMED_BYTES_MAX, response};
pub use runtimes::{Program, Runtimes};
pub use sandbox::{Dial, Launch, Limits, Process, Running, Sandbox, Shown};
pub use templates::Start;
