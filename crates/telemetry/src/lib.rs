//! The output of functions, kept and served.
//!
//! A function's line goes into a [`LogSink`] and never waits there. [`LogStore`] is the one of a
//! running server.

mod line;

pub use line::{LogLine, LogSink, StreamName};
