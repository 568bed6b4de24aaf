//! What can be wrong with a request, and what AWS calls it.

/// A fact about a request that could not be done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("Topic does not exist")]
    NoTopic,
    #[error("Subscription does not exist")]
    NoSubscription,
    #[error("Resource does not exist")]
    NoResource,
    #[error("Invalid parameter: {0}")]
    InvalidParameter(String),
    #[error("{0}")]
    InvalidValue(String),
    #[error("The batch request doesn't contain any entries.")]
    EmptyBatchRequest,
    #[error("The batch request contains more entries than permissible.")]
    TooManyEntries,
    #[error("Two or more batch entries in the request have the same Id.")]
    IdsNotDistinct,
    #[error("The Id of a batch entry in a batch request doesn't abide by the specification.")]
    InvalidBatchEntryId,
    #[error("The length of all the batch messages put together is more than the limit.")]
    BatchTooLong,
    #[error("The topic has {0} subscriptions, more than which it cannot have.")]
    SubscriptionLimit(usize),
    #[error("Could not complete request: tag quota of per resource exceeded")]
    TagLimit,
    /// What has its code already.
    #[error("{0}")]
    Other(kit::Error),
}

pub(crate) type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// `Invalid parameter: …`.
    pub(crate) fn parameter(sentence: impl Into<String>) -> Error {
        Error::InvalidParameter(sentence.into())
    }

    /// Something AWS has and we do not.
    pub(crate) fn not_served(what: impl std::fmt::Display) -> Error {
        Error::Other(kit::Error::not_served(what))
    }

    fn code(&self) -> (&'static str, u16) {
        match self {
            Error::NoTopic | Error::NoSubscription => ("NotFound", 404),
            Error::NoResource => ("ResourceNotFound", 404),
            Error::InvalidParameter(_) => ("InvalidParameter", 400),
            Error::InvalidValue(_) => ("ParameterValueInvalid", 400),
            Error::EmptyBatchRequest => ("EmptyBatchRequest", 400),
            Error::TooManyEntries => ("TooManyEntriesInBatchRequest", 400),
            Error::IdsNotDistinct => ("BatchEntryIdsNotDistinct", 400),
            Error::InvalidBatchEntryId => ("InvalidBatchEntryId", 400),
            Error::BatchTooLong => ("BatchRequestTooLong", 400),
            Error::SubscriptionLimit(_) => ("SubscriptionLimitExceeded", 403),
            Error::TagLimit => ("TagLimitExceeded", 400),
            Error::Other(_) => ("InternalError", 500),
        }
    }

    /// The code, sentence and blame of one entry of a batch.
    pub(crate) fn in_batch(self, id: String) -> crate::api::BatchFailure {
        let error = kit::Error::from(self);
        crate::api::BatchFailure {
            id,
            sender_fault: error.status < 500,
            code: error.code.into_owned(),
            message: error.message,
        }
    }
}

impl From<Error> for kit::Error {
    fn from(error: Error) -> kit::Error {
        if let Error::Other(error) = error {
            return error;
        }
        let (code, status) = error.code();
        kit::Error::new(code, status, error.to_string())
    }
}

impl From<kit::Error> for Error {
    fn from(error: kit::Error) -> Error {
        Error::Other(error)
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Error {
        Error::Other(error.into())
    }
}
