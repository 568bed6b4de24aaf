use bytes::Bytes;

use crate::{FunctionSpec, ResponseWriter};

/// The largest event of a synchronous invocation.
pub const EVENT_BYTES_MAX: usize = 6 * 1024 * 1024;

/// The largest result: 100 bytes more, as on Lambda.
pub(crate) const RESULT_BYTES_MAX: usize = EVENT_BYTES_MAX + 100;

/// One event for a function.
#[derive(Debug, Clone)]
pub struct Invocation {
    pub request_id: String,
    /// JSON; empty stands for `{}`.
    pub payload: Bytes,
    /// JSON, given to the handler as `context.clientContext`.
    pub client_context: Option<String>,
    /// `X-Amzn-Trace-Id`, given to the handler as `_X_AMZN_TRACE_ID`.
    pub trace_header: Option<String>,
    /// The ARN that was called, if it is not the one of the [`FunctionSpec`]:
    /// an alias. Given to the handler as `context.invokedFunctionArn`.
    pub function_arn: Option<String>,
    /// Whether the log's tail is wanted.
    pub tail: bool,
    /// Where the response goes as it is produced; without, it is gathered.
    pub response: Option<ResponseWriter>,
}

impl Invocation {
    /// The ARN that was called.
    pub(crate) fn function_arn(&self, spec: &FunctionSpec) -> String {
        self.function_arn.clone().unwrap_or_else(|| spec.arn.to_string())
    }
}

/// How an invocation ended. A failure of the function is an ending like any other.
#[derive(Debug, Clone)]
pub struct Invoked {
    /// The result, or `{errorType, errorMessage, trace}`: JSON. A response that was streamed is not
    /// in it, and one of a function that streams is whatever it wrote.
    pub payload: Bytes,
    /// `Unhandled` where the function failed.
    pub error: Option<&'static str>,
    /// The last 4 KB of what was logged, START and REPORT included; empty where it was not wanted.
    pub log_tail: String,
    pub duration_ms: f64,
    pub billed_ms: u64,
    /// What loading the function took, if this invocation caused it.
    pub init_ms: Option<f64>,
    /// What making a slot of a template took, if this invocation is its first.
    pub restore_ms: Option<f64>,
    pub memory_mb: u32,
    /// The most that its process has used so far, where it says so; else 0.
    pub memory_used_kb: u32,
}

/// Why a function could not be run at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// As many slots as allowed are busy and as many invocations as allowed wait for one.
    #[error("Rate Exceeded.")]
    Throttled {
        /// `ConcurrentInvocationLimitExceeded`.
        reason: &'static str,
    },
    #[error("runtime {runtime} cannot be used here: {why}")]
    RuntimeUnavailable { runtime: String, why: String },
    #[error("{bytes} byte payload is too large (limit {bytes_max} bytes)")]
    PayloadTooLarge { bytes: usize, bytes_max: usize },
    /// A worker could not be started, or ended before it took its event, several times in a row.
    #[error("the function's process could not be started: {0}")]
    NoWorker(String),
    #[error("the server is shutting down")]
    Closing,
}
