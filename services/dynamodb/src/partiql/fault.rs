use crate::{expression, number, value};

/// Why a statement is refused. The messages are AWS's where it has been seen to give one.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("Statement wasn't well formed, can't be processed: {0}")]
    Form(&'static str),
    #[error("Aliasing is not supported")]
    Alias,
    #[error("Unrecognized function: {0} at {1}")]
    Function(String, Place),
    #[error("Unexpected path component at {0}")]
    PathComponent(Place),
    #[error("Number of parameters in request and statement don't match.")]
    Parameters,
    #[error("Empty bags are not supported")]
    EmptySet,
    /// Ours: AWS's words are not known.
    #[error("A set must have numbers or strings only")]
    SetMember,
    /// Ours, too.
    #[error("A map must not have a key twice: {0}")]
    KeyTwice(String),
    /// A number in a literal, and where in it.
    #[error("{0} under {1}")]
    Number(number::Invalid, String),
    #[error("{0} must have exactly two arguments at {1}")]
    SetArguments(&'static str, Place),
    #[error("The first argument to {0} must equal the assignment value at {1}")]
    SetTarget(&'static str, Place),
    #[error("The second argument to {0} must be a value with type SET at {1}")]
    SetOperand(&'static str, Place),
    #[error(
        "Invalid returning clause: RETURNING {0} *. Only RETURNING ALL OLD * is allowed in DELETE \
         statements."
    )]
    Returning(&'static str),
    #[error("This operation is not supported on an index")]
    Index,
    #[error("Where clause does not contain a mandatory equality on all key attributes")]
    Keys,
    #[error("EXISTS() must contain a single item read with additional condition")]
    Exists,
    #[error("EXISTS can only be used in ExecuteTransaction write requests.")]
    ExistsOutside,
    #[error("RETURNING clause is not supported in ExecuteTransaction.")]
    ReturningInTransaction,
    #[error(transparent)]
    Value(#[from] value::Fault),
    #[error(transparent)]
    Expression(#[from] expression::Fault),
}

impl Fault {
    pub(crate) const TERM: Fault = Fault::Form("Unexpected term");
    pub(crate) const LEFTOVER: Fault = Fault::Form("Unexpected token after expression");
    /// Of what cannot be read at all AWS says no more.
    pub(crate) const UNREADABLE: Fault = Fault::Form("");
}

/// Where a token stands: line and column, from 1, and how many characters it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) chars: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.line, self.column, self.chars)
    }
}
