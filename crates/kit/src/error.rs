use std::borrow::Cow;

use serde_json::Value;

/// An error as a client sees it: an AWS code, a status and a sentence. Every service maps its own
/// facts to one of these, once; the protocol turns it into bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Error {
    /// The AWS error code, `ResourceNotFoundException`.
    pub code: Cow<'static, str>,
    /// The sentence, word for word as AWS has it where AWS has one.
    pub message: String,
    /// HTTP status. Below 500 the sender is at fault.
    pub status: u16,
    /// The code of the Query protocol where it differs from that of JSON.
    pub query_code: Option<&'static str>,
    /// Further members of the error body, `CancellationReasons` or `Item`.
    pub extra: Option<Box<Value>>,
}

impl Error {
    /// An error with the code, status and message given.
    pub fn new(
        code: impl Into<Cow<'static, str>>,
        status: u16,
        message: impl Into<String>,
    ) -> Error {
        Error { code: code.into(), message: message.into(), status, query_code: None, extra: None }
    }

    /// The sender's fault: status 400.
    pub fn sender(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Error {
        Error::new(code, 400, message)
    }

    /// Our fault: status 500. The cause is logged here, because the client is not told it.
    pub fn internal(cause: impl std::fmt::Display) -> Error {
        tracing::error!(%cause, "internal failure");
        Error::new(
            "InternalFailure",
            500,
            "The request processing has failed because of an unknown error.",
        )
    }

    /// An operation, parameter or combination that exists on AWS and that we do not serve.
    pub fn not_served(what: impl std::fmt::Display) -> Error {
        Error::new("NotImplemented", 501, format!("{what} is not served"))
    }

    /// The same error with members added to its body.
    #[must_use]
    pub fn with_extra(mut self, extra: Value) -> Error {
        self.extra = Some(Box::new(extra));
        self
    }

    /// The same error with another code in the Query protocol.
    #[must_use]
    pub fn with_query_code(mut self, code: &'static str) -> Error {
        self.query_code = Some(code);
        self
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Error {}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Error {
        match &error {
            store::Error::Full => Error::new(
                "ServiceUnavailable",
                503,
                "The disk that holds the data is full: free space on it, then try again.",
            ),
            store::Error::Busy => Error::new("ServiceUnavailable", 503, error.to_string()),
            _ => Error::internal(error),
        }
    }
}

impl From<wire::DecodeError> for Error {
    fn from(error: wire::DecodeError) -> Error {
        Error::sender("SerializationException", error.to_string())
    }
}

impl From<wire::EncodeError> for Error {
    fn from(error: wire::EncodeError) -> Error {
        Error::internal(error)
    }
}
