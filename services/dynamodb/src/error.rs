//! What can go wrong, as facts, each with its AWS code.

use serde::Serialize;

use crate::expression::{self, UpdateFault};
use crate::item::Malformed;
use crate::partiql;
use crate::value::{self, Item};

/// A request DynamoDB would refuse, or a failure of ours.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{0}")]
    Validation(String),
    #[error(transparent)]
    Expression(#[from] expression::Error),
    #[error(transparent)]
    Statement(#[from] partiql::Fault),
    #[error(transparent)]
    Value(#[from] value::Fault),
    #[error(transparent)]
    Update(#[from] UpdateFault),
    /// An operation on items of a table that does not exist.
    #[error("Requested resource not found")]
    NoTable,
    /// An operation on a table that does not exist.
    #[error("Requested resource not found: Table: {0} not found")]
    NoTableNamed(String),
    #[error("Requested resource not found: ResourcArn: {0} not found")]
    NoResource(String),
    #[error("Requested resource not found: Stream: {0} not found")]
    NoStream(String),
    /// With the shard's id and the resource of its stream.
    #[error("Requested resource not found: Shard: {0} in Stream: {1} not found")]
    NoShard(String, String),
    #[error("The shard iterator is expired and can no longer be used to retrieve stream records")]
    IteratorExpired,
    #[error("The operation attempted to read past the oldest stream record in a shard.")]
    Trimmed,
    #[error("Table already exists: {0}")]
    TableExists(String),
    #[error(
        "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously \
         per table"
    )]
    OneIndexAtATime,
    /// With why a table cannot be changed now.
    #[error("Attempt to change a resource which is still in use: {0}")]
    InUse(String),
    /// With the name of the index and of the table.
    #[error("Requested resource not found: Index {0} for table {1}")]
    NoIndex(String, String),
    #[error("Resource-based policy not found for the provided ResourceArn: {0}")]
    NoPolicy(String),
    #[error("{0}")]
    AccessDenied(String),
    /// An operation on the backups of a table that does not exist.
    #[error("Table not found: {0}")]
    NoSuchTable(String),
    #[error("Backup not found: {0}")]
    NoBackup(String),
    #[error("{0}")]
    BackupInUse(String),
    #[error("Point in time recovery is not enabled for table '{0}'")]
    NoRecovery(String),
    #[error("{0}")]
    RestoreTime(String),
    /// A table cannot be restored under the name of another.
    #[error("Table already exists: {0}")]
    RestoreExists(String),
    #[error("{0}")]
    RestoreInUse(String),
    #[error("{0}")]
    Limit(String),
    /// With the item that did not fulfil the condition, where the request asks for it.
    #[error("The conditional request failed")]
    ConditionFailed(Option<Item>),
    /// An INSERT of an item that is there.
    #[error("Duplicate primary key exists in table")]
    Duplicate,
    /// A transaction that did nothing, with what each of its parts says about it.
    #[error(
        "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]",
        codes(.0)
    )]
    Canceled(Vec<Reason>),
    /// A token that came with other parameters within the last ten minutes.
    /// With what of it AWS says.
    #[error("{0}")]
    OverProvisioned(&'static str),
    #[error("Throughput exceeds the maximum OnDemandThroughput configured on table or index")]
    OverMaximum,
    #[error("The request token was used before with other parameters")]
    TokenMismatch,
    /// One that has its code already: of the store, or of something we do not serve.
    #[error(transparent)]
    Other(Box<kit::Error>),
}

/// What a part of a canceled transaction says about it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Reason {
    pub(crate) code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) item: Option<Item>,
}

impl Reason {
    /// Of a part that would have been done.
    pub(crate) const NONE: Reason = Reason { code: "None", message: None, item: None };

    /// Of a part that cannot be done. What is no part's fault stays an error.
    pub(crate) fn of(error: Error) -> Result<Reason, Error> {
        let message = Some(error.to_string());
        match error {
            Error::ConditionFailed(item) => {
                Ok(Reason { code: "ConditionalCheckFailed", message, item })
            }
            Error::Validation(_)
            | Error::Expression(_)
            | Error::Statement(_)
            | Error::Value(_)
            | Error::Update(_) => Ok(Reason { code: "ValidationError", message, item: None }),
            Error::Duplicate => Ok(Reason { code: "DuplicateItem", message, item: None }),
            Error::OverProvisioned(_) => {
                Ok(Reason { code: "ProvisionedThroughputExceeded", message, item: None })
            }
            Error::OverMaximum => Ok(Reason { code: "ThrottlingError", message, item: None }),
            other => Err(other),
        }
    }
}

impl Reason {
    /// Of an INSERT: its condition is that there is no such item.
    pub(crate) fn name_duplicate(&mut self) {
        if self.code == "ConditionalCheckFailed" {
            let message = Some(Error::Duplicate.to_string());
            *self = Reason { code: "DuplicateItem", message, item: None };
        }
    }
}

fn codes(reasons: &[Reason]) -> String {
    reasons.iter().map(|reason| reason.code).collect::<Vec<_>>().join(", ")
}

impl Error {
    pub(crate) fn validation(message: impl Into<String>) -> Error {
        Error::Validation(message.into())
    }

    /// What AWS says about parameters that contradict each other or the table.
    pub(crate) fn invalid(why: impl std::fmt::Display) -> Error {
        Error::Validation(format!("One or more parameter values were invalid: {why}"))
    }

    fn code(&self) -> &'static str {
        match self {
            Error::Validation(_)
            | Error::Expression(_)
            | Error::Statement(_)
            | Error::Value(_)
            | Error::Update(_) => "ValidationException",
            Error::NoTable
            | Error::NoTableNamed(_)
            | Error::NoIndex(..)
            | Error::NoStream(_)
            | Error::NoShard(..)
            | Error::NoResource(_) => "ResourceNotFoundException",
            Error::TableExists(_) | Error::InUse(_) => "ResourceInUseException",
            Error::IteratorExpired => "ExpiredIteratorException",
            Error::Trimmed => "TrimmedDataAccessException",
            Error::OneIndexAtATime => "LimitExceededException",
            Error::NoPolicy(_) => "PolicyNotFoundException",
            Error::AccessDenied(_) => "AccessDeniedException",
            Error::NoSuchTable(_) => "TableNotFoundException",
            Error::NoBackup(_) => "BackupNotFoundException",
            Error::BackupInUse(_) => "BackupInUseException",
            Error::NoRecovery(_) => "PointInTimeRecoveryUnavailableException",
            Error::RestoreTime(_) => "InvalidRestoreTimeException",
            Error::RestoreExists(_) => "TableAlreadyExistsException",
            Error::RestoreInUse(_) => "TableInUseException",
            Error::Limit(_) => "LimitExceededException",
            Error::ConditionFailed(_) => "ConditionalCheckFailedException",
            Error::Duplicate => "DuplicateItemException",
            Error::Canceled(_) => "TransactionCanceledException",
            Error::OverProvisioned(_) => "ProvisionedThroughputExceededException",
            Error::OverMaximum => "ThrottlingException",
            Error::TokenMismatch => "IdempotentParameterMismatchException",
            Error::Other(_) => "InternalServerError",
        }
    }
}

impl From<Error> for kit::Error {
    fn from(error: Error) -> kit::Error {
        let (code, message) = (error.code(), error.to_string());
        match error {
            Error::Other(error) => *error,
            Error::ConditionFailed(Some(item)) => {
                kit::Error::sender(code, message).with_extra(serde_json::json!({ "Item": item }))
            }
            Error::Canceled(reasons) => kit::Error::sender(code, message)
                .with_extra(serde_json::json!({ "CancellationReasons": reasons })),
            _ => kit::Error::sender(code, message),
        }
    }
}

impl From<kit::Error> for Error {
    fn from(error: kit::Error) -> Error {
        Error::Other(Box::new(error))
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Error {
        match error {
            // Only what follows from many writes can be too much for one transaction.
            store::Error::TooLarge { .. } => Error::validation(
                "The items of the transaction, with their index entries, stream records and \
                 history, exceed 8 MB",
            ),
            other => kit::Error::from(other).into(),
        }
    }
}

impl From<Malformed> for Error {
    fn from(malformed: Malformed) -> Error {
        store::Error::corrupt("an item", malformed).into()
    }
}
