//! What can go wrong, as facts, each with its AWS code, status and sentence.

use base::Arn;
use serde_json::json;

/// A request Lambda would refuse, or a failure of ours.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{0}")]
    Validation(String),
    #[error("{0}")]
    InvalidParameterValue(String),
    #[error("Function not found: {0}")]
    NoFunction(Box<Arn>),
    #[error("Cannot find alias arn: {0}")]
    NoAlias(Box<Arn>),
    #[error("Alias not found: {0}")]
    NoAliasToUpdate(Box<Arn>),
    #[error("Alias already exists: {0}")]
    AliasExists(Box<Arn>),
    #[error("Unable to delete version because the following aliases reference it: [{0}]")]
    VersionUsed(String),
    #[error("Function already exist: {0}")]
    FunctionExists(String),
    #[error("The resource you requested does not exist.")]
    NoResource,
    #[error("No policy is associated with the given resource.")]
    NoPolicy,
    #[error("Layer version {0} does not exist.")]
    NoLayerVersion(Box<Arn>),
    #[error("Statement {0} is not found in resource policy.")]
    NoStatement(String),
    #[error(
        "The statement id ({0}) provided already exists. Please provide a new statement id, or \
         remove the existing statement."
    )]
    StatementExists(String),
    #[error("The final policy size ({0}) is bigger than the limit (20480).")]
    PolicyLength(usize),
    #[error(
        "An event source mapping with SQS arn (\" {queue} \") and function (\" {function} \") \
         already exists. Please update or delete the existing mapping with UUID {uuid}"
    )]
    MappingExists { queue: String, function: String, uuid: String },
    #[error(
        "The event source arn (\" {stream} \") and function (\" {function} \") provided mapping \
         already exists. Please update or delete the existing mapping with UUID {uuid}"
    )]
    StreamMappingExists { stream: String, function: String, uuid: String },
    #[error(
        "The Revision Id provided does not match the latest Revision Id. Call the \
         {0} API to retrieve the latest Revision Id"
    )]
    Revision(&'static str),
    #[error("The function doesn't exist.")]
    NoEventFunction,
    #[error("The function {0} doesn't have an EventInvokeConfig")]
    NoEventConfig(Box<Arn>),
    #[error("Function does not exist")]
    NoUrlFunction,
    #[error(
        "Failed to create function url config for [functionArn = {0}]. Error message:  \
         FunctionUrlConfig exists for this Lambda function"
    )]
    UrlExists(Box<Arn>),
    #[error("No Provisioned Concurrency Config found for this function")]
    NoProvisioned,
    #[error("{0}")]
    Provisioned(&'static str),
    #[error("Rate Exceeded.")]
    Throttled(Throttle),
    #[error(
        "Lambda has detected your function being invoked in a recursive loop with other AWS \
         resources and stopped your function's invocation."
    )]
    Recursive,
    #[error("{bytes} byte payload is too large for the {kind} invocation type (limit {max} bytes)")]
    PayloadTooLarge { bytes: usize, kind: &'static str, max: usize },
    #[error("Request must be smaller than {max} bytes for the {operation} operation")]
    RequestTooLarge { max: usize, operation: &'static str },
    #[error("Could not parse request body into json: {0}")]
    InvalidContent(String),
    /// One that has its code already: of the store, the host, or of something we do not serve.
    #[error(transparent)]
    Other(#[from] kit::Error),
}

/// Why there is no place for an invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Throttle {
    /// Those that all functions share are taken.
    Account,
    /// Those of the function are taken, or it has none.
    Reserved,
}

impl Throttle {
    fn reason(self) -> &'static str {
        match self {
            Throttle::Account => "ConcurrentInvocationLimitExceeded",
            Throttle::Reserved => "ReservedFunctionConcurrentInvocationLimitExceeded",
        }
    }
}

impl Error {
    /// A member that breaks its constraint, in the words all AWS services share.
    pub(crate) fn constraint(member: &str, value: impl std::fmt::Display, must: &str) -> Error {
        Error::Validation(format!(
            "1 validation error detected: Value '{value}' at '{member}' failed to satisfy \
             constraint: {must}"
        ))
    }

    /// A parameter whose value makes no sense here.
    pub(crate) fn parameter(text: impl Into<String>) -> Error {
        Error::InvalidParameterValue(text.into())
    }

    fn code(&self) -> (&'static str, u16) {
        match self {
            Error::Validation(_) => ("ValidationException", 400),
            Error::InvalidParameterValue(_) => ("InvalidParameterValueException", 400),
            Error::NoFunction(_)
            | Error::NoAlias(_)
            | Error::NoAliasToUpdate(_)
            | Error::NoResource
            | Error::NoPolicy
            | Error::NoUrlFunction
            | Error::NoEventFunction
            | Error::NoEventConfig(_)
            | Error::NoLayerVersion(_)
            | Error::NoStatement(_) => ("ResourceNotFoundException", 404),
            Error::FunctionExists(_)
            | Error::AliasExists(_)
            | Error::VersionUsed(_)
            | Error::UrlExists(_)
            | Error::Provisioned(_)
            | Error::StatementExists(_)
            | Error::MappingExists { .. }
            | Error::StreamMappingExists { .. } => ("ResourceConflictException", 409),
            Error::NoProvisioned => ("ProvisionedConcurrencyConfigNotFoundException", 404),
            Error::Throttled(_) => ("TooManyRequestsException", 429),
            Error::Recursive => ("RecursiveInvocationException", 400),
            Error::PolicyLength(_) => ("PolicyLengthExceededException", 400),
            Error::Revision(_) => ("PreconditionFailedException", 412),
            Error::PayloadTooLarge { .. } => ("RequestTooLargeException", 413),
            Error::RequestTooLarge { .. } => ("RequestEntityTooLargeException", 413),
            Error::InvalidContent(_) => ("InvalidRequestContentException", 400),
            Error::Other(_) => ("ServiceException", 500),
        }
    }
}

impl From<Error> for kit::Error {
    fn from(error: Error) -> kit::Error {
        if let Error::Other(error) = error {
            return error;
        }
        let (code, status) = error.code();
        // Lambda alone among the services says whose fault it was in the body.
        let extra = match &error {
            Error::Throttled(why) => json!({ "Type": "User", "Reason": why.reason() }),
            _ => json!({ "Type": "User" }),
        };
        kit::Error::new(code, status, error.to_string()).with_extra(extra)
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Error {
        Error::Other(error.into())
    }
}
