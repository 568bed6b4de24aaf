//! Running a function by its ARN: the face that `gateway` and `delivery` use and that the lambda
//! service implements.

use base::{Arn, BoxFuture};
use bytes::Bytes;
use futures_util::stream::BoxStream;

use crate::Error;

/// One synchronous invocation.
#[derive(Debug, Clone)]
pub struct Invoke {
    /// The function, with or without a qualifier.
    pub function: Arn,
    /// The event: JSON.
    pub payload: Bytes,
    /// The id shown in logs and in `context.awsRequestId`; a fresh one if none is given.
    pub request_id: Option<String>,
    /// Base64 JSON, passed on to `context.clientContext`.
    pub client_context: Option<String>,
    /// `X-Amzn-Trace-Id`, passed on as `_X_AMZN_TRACE_ID`.
    pub trace: Option<String>,
    /// Whether the answer is to have the log's tail.
    pub tail: bool,
}

/// What a function answered.
#[derive(Debug, Clone)]
pub struct Invoked {
    /// The result, or `{errorType, errorMessage, trace}`: JSON.
    pub payload: Bytes,
    /// `Handled` or `Unhandled` where the function failed.
    pub error: Option<&'static str>,
    /// The version that ran.
    pub version: String,
    /// The last 4 KB of what it logged; empty where nobody asked.
    pub log_tail: String,
    pub request_id: String,
}

/// What a function answers, as it is produced.
pub struct Streamed {
    /// Of the response; `application/json` where the function answered in one piece.
    pub content_type: String,
    /// The version that runs.
    pub version: String,
    pub request_id: String,
    /// The last one is [`Part::Ended`].
    pub parts: BoxStream<'static, Part>,
}

/// A part of what a function answers.
#[derive(Debug)]
pub enum Part {
    Chunk(Bytes),
    /// The response is complete; the function may still run.
    Complete,
    /// The function has ended. The payload is its error, or empty.
    Ended(Result<Invoked, Error>),
}

/// An address of its own, at which a function answers HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// The function, or an alias of it.
    pub function: Arn,
    /// Whether requests must be signed.
    pub signed: bool,
    /// Whether responses are passed on as they are produced.
    pub streams: bool,
    pub cors: Option<UrlCors>,
}

/// Cross-origin rules of a URL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UrlCors {
    pub allow_origins: Vec<String>,
    pub allow_methods: Vec<String>,
    pub allow_headers: Vec<String>,
    pub expose_headers: Vec<String>,
    /// Seconds a browser may remember the answer.
    pub max_age: Option<u32>,
    pub allow_credentials: bool,
}

/// Something that runs functions.
pub trait Functions: Send + Sync + 'static {
    /// Runs the function with the payload and waits for its answer.
    ///
    /// # Errors
    /// If it could not be run at all: it does not exist, or is throttled. A failure of the
    /// function itself is an answer.
    fn invoke<'a>(&'a self, call: Invoke) -> BoxFuture<'a, Result<Invoked, Error>>;

    /// Runs the function and gives its response as it is produced, from its first byte on. Whoever
    /// drops what it gives does not end the function.
    ///
    /// # Errors
    /// As of [`Functions::invoke`].
    fn stream<'a>(&'a self, call: Invoke) -> BoxFuture<'a, Result<Streamed, Error>>;

    /// Makes ready for the next event of a function.
    ///
    /// # Errors
    /// If it does not exist, or cannot be run here.
    fn prepare<'a>(&'a self, function: &'a Arn) -> BoxFuture<'a, Result<(), Error>>;

    /// Whose a function URL is; `None` where there is no such URL.
    fn url<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Url>, Error>>;

    /// The zip that was offered to somebody by this token; `None` where it was not, or no longer.
    fn download<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, Error>>;

    /// The zip of a function's code as it was last given, to put it back.
    fn package<'a>(&'a self, function: &'a Arn) -> BoxFuture<'a, Result<Bytes, Error>>;
}
