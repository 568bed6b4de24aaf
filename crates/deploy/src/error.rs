//! Why a deploy did not happen.

use crate::diagnostic::{Diagnostic, Place};
use crate::template::Resource;
use crate::yaml::{Map, Node, Value};

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
    let quoted = quoted(&resource.properties, &cause.message);
    let at = quoted.map_or_else(|| resource.at.clone(), |(_, at)| at.clone());
    Error::Resource(Box::new(Failure {
        at,
        id: resource.id.clone(),
        kind: resource.kind.clone(),
        doing,
        cause,
        undone: Vec::new(),
        stuck: Vec::new(),
    }))
}

/// The longest name or value of the properties that a message repeats, and where it was written:
/// services say what is wrong, not where it stands.
fn quoted<'r>(properties: &'r Map, message: &str) -> Option<(usize, &'r Place)> {
    properties
        .0
        .iter()
        .flat_map(|pair| [said(&pair.key, &pair.at, message), value(&pair.node, message)])
        .flatten()
        .max_by_key(|(length, _)| *length)
}

fn value<'r>(node: &'r Node, message: &str) -> Option<(usize, &'r Place)> {
    match &node.value {
        Value::Map(map) => quoted(map, message),
        Value::List(list) => {
            list.iter().filter_map(|item| value(item, message)).max_by_key(|(length, _)| *length)
        }
        _ => said(&node.scalar_text()?, &node.at, message),
    }
}

fn said<'r>(text: &str, at: &'r Place, message: &str) -> Option<(usize, &'r Place)> {
    let whole = |index: usize| {
        let inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || "_-.".contains(c));
        let (before, after) = (&message[..index], &message[index + text.len()..]);
        !inside(before.chars().next_back()) && !inside(after.chars().next())
    };
    let found = !text.is_empty() && message.match_indices(text).any(|(index, _)| whole(index));
    found.then_some((text.len(), at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_placed_where_the_message_points() {
        let place = |line: u32| Place { file: "serverless.yml".into(), line, col: 1 };
        let scalar = |line: u32, text: &str| place(line).string(text);
        let mut variables = Map::default();
        variables.set("bad-name", scalar(4, "x"));
        let mut properties = Map::default();
        properties.set("Runtime", scalar(2, "python3.12"));
        properties.set("Environment", place(3).node(Value::Map(variables)));
        let line = |message: &str| quoted(&properties, message).map(|(_, at)| at.line);
        assert_eq!(line("runtime python3.12 cannot be used here"), Some(2));
        assert_eq!(line("Value 'bad-name' at 'environment' failed"), Some(4));
        assert_eq!(line("x python3.12"), Some(2));
        assert_eq!(line("not python3.123 nor bad-names"), None);
    }
}
