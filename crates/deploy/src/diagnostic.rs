//! What is wrong in the user's files: where, what, and what to do about it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Where something stands in the user's files. Line and column count from one; line zero is the
/// whole file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The path as the user would type it, from the project's folder.
    pub file: Arc<str>,
    pub line: u32,
    pub col: u32,
}

impl Place {
    /// The file as a whole.
    pub fn file(file: &str) -> Place {
        Place { file: file.into(), line: 0, col: 0 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            return f.write_str(&self.file);
        }
        write!(f, "{}:{}:{}", self.file, self.line, self.col)
    }
}

impl FromStr for Place {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Place, Self::Err> {
        // From the right, because a file's name may hold colons.
        let mut parts = text.rsplitn(3, ':');
        let (col, line, file) = (parts.next(), parts.next(), parts.next());
        let (Some(col), Some(line), Some(file)) = (col, line, file) else {
            return Ok(Place::file(text));
        };
        Ok(Place { file: file.into(), line: line.parse()?, col: col.parse()? })
    }
}

// One short string instead of three members: a template has a place on every node.
impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Place, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// A mistake in the user's files, with its place and its remedy:
///
/// ```text
/// serverless.yml:42:9: event 'websocket' of function 'chat' is not served
/// help: remove it, or …
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Diagnostic {
    pub at: Place,
    pub message: String,
    pub help: Option<String>,
}

impl Diagnostic {
    /// A mistake without a remedy yet; see [`Diagnostic::help`].
    pub fn new(at: &Place, message: impl Into<String>) -> Diagnostic {
        Diagnostic { at: at.clone(), message: message.into(), help: None }
    }

    /// The same mistake with its remedy.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.message)?;
        match &self.help {
            Some(help) => write!(f, "\nhelp: {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Diagnostic {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_survives_its_text() {
        for place in
            [Place { file: "a:b.yml".into(), line: 4, col: 2 }, Place::file("serverless.yml")]
        {
            assert_eq!(place.to_string().parse(), Ok(place));
        }
    }
}
