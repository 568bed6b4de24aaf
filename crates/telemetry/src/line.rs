use std::sync::Arc;

use base::{AccountId, Region, Time};

/// A group and where it is: all that one function writes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GroupName {
    pub account: AccountId,
    pub region: Region,
    /// `/aws/lambda/orders-dev-createOrder`.
    pub name: String,
}

/// Where a line goes: one slot writes to one stream for all of its life.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StreamName {
    pub group: GroupName,
    /// `2026/11/21/[$LATEST]8f0e…`.
    pub name: String,
}

/// One line, or one console call of several lines, that a function wrote.
#[derive(Debug, Clone)]
pub struct LogLine {
    pub to: Arc<StreamName>,
    pub time: Time,
    /// The invocation it belongs to; none while the function is being loaded.
    pub request_id: Option<Arc<str>>,
    pub text: String,
}

/// Takes lines. Called on the path of every invocation: it must not block and must bound what it
/// keeps.
pub trait LogSink: Send + Sync + 'static {
    fn write(&self, line: LogLine);
}
