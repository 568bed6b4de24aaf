//! The output and the figures of functions, kept and served.
//!
//! A function's line goes into a [`LogSink`] and never waits there. [`LogStore`] is the one of a
//! running server: lines are held in memory for about a second, then written as one compressed
//! block per group into an engine of their own, so that logs neither slow down nor fill up what
//! holds the state. A reader sees both, so a line can be read as soon as it is written.

mod block;
mod buffer;
mod data;
mod groups;
mod line;
mod logs;
mod metrics;
mod read;
mod write;

pub use data::{Group, Stream};
pub use line::{GroupName, LogLine, LogSink, StreamName};
pub use logs::{Config, LogStore};
pub use metrics::{Figures, FunctionName, Measure, MetricSink, Stat};
pub use read::{Found, Page, Query, Streams};
