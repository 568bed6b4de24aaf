//! What can go wrong, as facts, each with its AWS code.

use base::InvalidName;

/// A request EventBridge would refuse, or a failure of ours.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("Parameter ScheduleExpression is not valid.")]
    ScheduleExpression,
    #[error("{0}")]
    Validation(String),
    #[error("Rule {0} does not exist on EventBus default.")]
    NoRule(String),
    #[error("Event bus {0} does not exist.")]
    NoBus(String),
    #[error("Rule can't be deleted since it has targets.")]
    HasTargets,
    #[error("The requested resource exceeds the maximum number allowed.")]
    Limit,
    /// One that has its code already: of the store, or of something we do not serve.
    #[error(transparent)]
    Other(#[from] kit::Error),
}

impl Error {
    /// A member that breaks its constraint, in the words all AWS services share.
    pub(crate) fn constraint(member: &str, value: &str, must: &str) -> Error {
        Error::Validation(format!(
            "1 validation error detected: Value '{value}' at '{member}' failed to satisfy \
             constraint: {must}"
        ))
    }

    fn code(&self) -> &'static str {
        match self {
            Error::ScheduleExpression | Error::Validation(_) | Error::HasTargets => {
                "ValidationException"
            }
            Error::NoRule(_) | Error::NoBus(_) => "ResourceNotFoundException",
            Error::Limit => "LimitExceededException",
            Error::Other(_) => "InternalException",
        }
    }
}

impl From<Error> for kit::Error {
    fn from(error: Error) -> kit::Error {
        match error {
            Error::Other(error) => error,
            _ => kit::Error::sender(error.code(), error.to_string()),
        }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Error {
        Error::Other(error.into())
    }
}

impl From<InvalidName> for Error {
    fn from(_: InvalidName) -> Error {
        Error::Validation("Provided Arn is not in correct format.".into())
    }
}
