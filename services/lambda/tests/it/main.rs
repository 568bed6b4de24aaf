//! The service on the memory engine and a virtual clock. Functions are run by a script, queues and
//! streams are lists; `real.rs` runs the real host.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod alias;
mod asynchronous;
mod concurrency;
mod destination;
mod filter;
mod function;
mod invocation;
mod layer;
mod lease;
mod machine;
mod mapping;
mod permission;
mod real;
mod recursion;
mod river;
mod settings;
mod stream;
mod stream_failures;
mod stream_mapping;
mod stream_windows;
mod url;
mod version;

use std::time::Duration;

use base::Time;

pub(crate) const START: Time = Time::from_millis(1_793_491_200_000);
pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
