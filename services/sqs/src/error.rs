//! What can be wrong with a request, and what AWS calls it.

use std::borrow::Cow;

/// A fact about a request that could not be done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("The specified queue does not exist.")]
    QueueDoesNotExist,
    #[error(
        "A queue already exists with the same name and a different value for attribute {attribute}"
    )]
    QueueNameExists { attribute: String },
    #[error("The address {0} is not valid for this endpoint.")]
    InvalidAddress(String),
    #[error("{0}")]
    InvalidParameter(Cow<'static, str>),
    #[error("The request must contain the parameter {0}.")]
    MissingParameter(&'static str),
    #[error("Unknown Attribute {0}.")]
    InvalidAttributeName(String),
    #[error("Invalid value for the parameter {0}.")]
    InvalidAttributeValue(String),
    #[error(
        "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF \
         | #xE000 to #xFFFD | #x10000 to #x10FFFF"
    )]
    InvalidMessageContents,
    #[error("There should be at least one {0} in the request.")]
    EmptyBatchRequest(&'static str),
    #[error("Maximum number of entries per request are {max}. You have sent {sent}.")]
    TooManyEntries { max: usize, sent: usize },
    #[error("Id {0} repeated.")]
    IdsNotDistinct(String),
    #[error(
        "A batch entry id can only contain alphanumeric characters, hyphens and underscores. \
         It can be at most 80 letters long."
    )]
    InvalidBatchEntryId,
    #[error("Batch requests cannot be longer than {max} bytes. You have sent {sent} bytes.")]
    BatchTooLong { max: usize, sent: usize },
    #[error("The input receipt handle \"{0}\" is not a valid receipt handle.")]
    ReceiptHandleIsInvalid(String),
    /// Told with the handle, by who knows it.
    #[error("The receipt handle has expired.")]
    HandleExpired,
    #[error("The specified message isn't in flight.")]
    MessageNotInflight,
    #[error("Too many messages are in flight for queue {0}.")]
    OverLimit(String),
    #[error("Only one PurgeQueue operation on {0} is allowed every 60 seconds.")]
    PurgeQueueInProgress(String),
    /// What has its code already.
    #[error("{0}")]
    Other(kit::Error),
}

pub(crate) type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A parameter whose value is not allowed, in AWS's sentence for it.
    pub(crate) fn invalid(
        parameter: &str,
        value: impl std::fmt::Display,
        reason: impl std::fmt::Display,
    ) -> Error {
        let sentence =
            format!("Value {value} for parameter {parameter} is invalid. Reason: {reason}");
        Error::InvalidParameter(sentence.into())
    }

    /// A parameter that only queues of the other type know.
    pub(crate) fn for_other_type(parameter: &str) -> Error {
        Error::InvalidParameter(
            format!(
                "The request include parameter {parameter} which is not valid for this queue type"
            )
            .into(),
        )
    }

    /// Something AWS has and we do not.
    pub(crate) fn not_served(what: impl std::fmt::Display) -> Error {
        Error::Other(kit::Error::not_served(what))
    }

    /// The code in JSON and that in the Query protocol, which SDKs made for it still look for.
    fn codes(&self) -> (&'static str, &'static str) {
        match self {
            Error::QueueDoesNotExist => {
                ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue")
            }
            Error::QueueNameExists { .. } => ("QueueNameExists", "QueueAlreadyExists"),
            Error::InvalidAddress(_) => ("InvalidAddress", "InvalidAddress"),
            Error::InvalidParameter(_) | Error::HandleExpired => {
                ("InvalidParameterValueException", "InvalidParameterValue")
            }
            Error::MissingParameter(_) => ("MissingRequiredParameterException", "MissingParameter"),
            Error::InvalidAttributeName(_) => ("InvalidAttributeName", "InvalidAttributeName"),
            Error::InvalidAttributeValue(_) => ("InvalidAttributeValue", "InvalidAttributeValue"),
            Error::InvalidMessageContents => ("InvalidMessageContents", "InvalidMessageContents"),
            Error::EmptyBatchRequest(_) => {
                ("EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest")
            }
            Error::TooManyEntries { .. } => (
                "TooManyEntriesInBatchRequest",
                "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
            ),
            Error::IdsNotDistinct(_) => {
                ("BatchEntryIdsNotDistinct", "AWS.SimpleQueueService.BatchEntryIdsNotDistinct")
            }
            Error::InvalidBatchEntryId => {
                ("InvalidBatchEntryId", "AWS.SimpleQueueService.InvalidBatchEntryId")
            }
            Error::BatchTooLong { .. } => {
                ("BatchRequestTooLong", "AWS.SimpleQueueService.BatchRequestTooLong")
            }
            Error::ReceiptHandleIsInvalid(_) => {
                ("ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid")
            }
            Error::MessageNotInflight => {
                ("MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight")
            }
            Error::OverLimit(_) => ("OverLimit", "OverLimit"),
            Error::PurgeQueueInProgress(_) => {
                ("PurgeQueueInProgress", "AWS.SimpleQueueService.PurgeQueueInProgress")
            }
            Error::Other(_) => ("InternalFailure", "InternalFailure"),
        }
    }

    /// The code, sentence and blame of one entry of a batch.
    pub(crate) fn in_batch(self, id: String) -> crate::api::BatchFailure {
        let error = kit::Error::from(self);
        let code = error.query_code.map_or_else(|| error.code.into_owned(), str::to_owned);
        crate::api::BatchFailure {
            id,
            sender_fault: error.status < 500,
            code,
            message: error.message,
        }
    }
}

impl From<Error> for kit::Error {
    fn from(error: Error) -> kit::Error {
        if let Error::Other(error) = error {
            return error;
        }
        let (code, query_code) = error.codes();
        kit::Error::sender(code, error.to_string()).with_query_code(query_code)
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
