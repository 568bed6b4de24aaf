//! What can be wrong with a request, and what AWS calls it.

/// A fact about a request that could not be done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("The specified log group does not exist.")]
    NoGroup,
    #[error("The specified log stream does not exist.")]
    NoStream,
    #[error("The specified log group already exists")]
    GroupExists,
    #[error("The specified log stream already exists")]
    StreamExists,
    #[error("{0}")]
    InvalidParameter(String),
    /// What has its code already.
    #[error("{0}")]
    Other(#[from] kit::Error),
}

pub(crate) type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A member that breaks its constraint, in the words all AWS services share.
    pub(crate) fn constraint(member: &str, value: impl std::fmt::Display, must: &str) -> Error {
        Error::InvalidParameter(format!(
            "1 validation error detected: Value '{value}' at '{member}' failed to satisfy \
             constraint: {must}"
        ))
    }

    /// A member that must be there.
    pub(crate) fn missing(member: &str) -> Error {
        Error::InvalidParameter(format!(
            "1 validation error detected: Value null at '{member}' failed to satisfy constraint: \
             Member must not be null"
        ))
    }

    /// Something AWS has and we do not.
    pub(crate) fn not_served(what: impl std::fmt::Display) -> Error {
        Error::Other(kit::Error::not_served(what))
    }

    fn code(&self) -> &'static str {
        match self {
            Error::NoGroup | Error::NoStream => "ResourceNotFoundException",
            Error::GroupExists | Error::StreamExists => "ResourceAlreadyExistsException",
            Error::InvalidParameter(_) => "InvalidParameterException",
            Error::Other(_) => "InternalFailure",
        }
    }
}

impl From<Error> for kit::Error {
    fn from(error: Error) -> kit::Error {
        match error {
            Error::Other(error) => error,
            error => kit::Error::sender(error.code(), error.to_string()),
        }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Error {
        Error::Other(error.into())
    }
}
