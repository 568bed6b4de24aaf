//! Why a deploy did not happen.

use crate::diagnostic::{Diagnostic, Place};
use crate::template::Resource;

/// Why a deploy did not happen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The template is wrong; nothing was touched, or all that was is undone.
    #[error("{0}")]
    Template(#[from] Diagnostic),
    /// An operation failed.
    #[error("{}", failure(.0))]
    Resource(Box<Failure>),
    /// There is nothing to remove.
    #[error(
        "Stack with id {0} does not exist\n\
         help: name its stage with --stage, or its platform with --endpoint"
    )]
    NoStack(String),
    #[error("the deploy could not be noted: {0}")]
    Store(#[from] store::Error),
}

/// An operation that failed, and what was undone for it.
#[derive(Debug)]
pub struct Failure {
    pub at: Place,
    pub id: String,
    pub kind: String,
    pub doing: &'static str,
    pub cause: kit::Error,
    /// What this deploy had done before, newest first; all of it is undone, but for `stuck`.
    pub undone: Vec<String>,
    /// What could not be undone, with the reason.
    pub stuck: Vec<String>,
}

impl Error {
    /// The same error after the deploy was undone, which says what became of that.
    pub(crate) fn undone(self, mut undone: Vec<String>, stuck: Vec<String>) -> Error {
        match self {
            Error::Resource(failure) => {
                undone.retain(|id| *id != failure.id);
                Error::Resource(Box::new(Failure { undone, stuck, ..*failure }))
            }
            Error::Template(diagnostic) if !stuck.is_empty() => {
                let mut help = stuck.join("\nhelp: ");
                if let Some(remedy) = &diagnostic.help {
                    help = format!("{remedy}\nhelp: {help}");
                }
                Error::Template(diagnostic.help(help))
            }
            other => other,
        }
    }
}

fn failure(failure: &Failure) -> String {
    let Failure { at, id, kind, doing, cause, undone, stuck } = failure;
    let mut text = format!("{at}: {id} ({kind}) could not be {doing}: {cause}");
    text += match (undone.is_empty(), stuck.is_empty()) {
        (true, true) => "\nhelp: mend the place named; the stack is as it was",
        (true, false) => "\nhelp: mend the place named; not all of the deploy was undone",
        (false, _) => "\nhelp: the deploy was undone: ",
    };
    text += &undone.join(", ");
    for reason in stuck {
        text += &format!("\nhelp: {reason}");
    }
    text
}

/// The failure of an operation on a resource.
pub(crate) fn failed(resource: &Resource, doing: &'static str, cause: kit::Error) -> Error {
    Error::Resource(Box::new(Failure {
        at: resource.at.clone(),
        id: resource.id.clone(),
        kind: resource.kind.clone(),
        doing,
        cause,
        undone: Vec::new(),
        stuck: Vec::new(),
    }))
}
