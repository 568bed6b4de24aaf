//! The fidelity report: what a template says that the platform does not do.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::diagnostic::Place;

/// What is stored, or not known, but not honoured; in the order it was found, each once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub entries: Vec<Entry>,
    /// What is natively covered and needs no action; no reason for `--strict` to fail.
    pub notes: Vec<Entry>,
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub at: Place,
    /// The property: `functions.pay.vpc`, `OrdersTable.Tags`.
    pub path: String,
    /// What becomes of it: `is not honoured`.
    pub what: String,
}

impl Report {
    /// A property that changes nothing although its author expects it to.
    pub(crate) fn unhonoured(&mut self, at: &Place, path: &str, what: &str) {
        push(&mut self.entries, at, path, what);
    }

    /// Something to know that takes nothing away.
    pub(crate) fn note(&mut self, at: &Place, path: &str, what: &str) {
        push(&mut self.notes, at, path, what);
    }

    /// Adds another report's lines.
    pub fn merge(&mut self, other: Report) {
        for Entry { at, path, what } in other.entries {
            push(&mut self.entries, &at, &path, &what);
        }
        for Entry { at, path, what } in other.notes {
            push(&mut self.notes, &at, &path, &what);
        }
    }

    /// Whether everything the template says is done.
    pub fn is_faithful(&self) -> bool {
        self.entries.is_empty()
    }
}

fn push(list: &mut Vec<Entry>, at: &Place, path: &str, what: &str) {
    let entry = Entry { at: at.clone(), path: path.to_owned(), what: what.to_owned() };
    if !list.contains(&entry) {
        list.push(entry);
    }
}

/// The entries. What stands once in the file and reaches several resources, as a setting of the
/// provider does, is one line.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let same = |a: &Entry, b: &Entry| (&a.at, &a.what) == (&b.at, &b.what);
        for (index, entry) in self.entries.iter().enumerate() {
            if self.entries[..index].iter().any(|before| same(before, entry)) {
                continue;
            }
            let others = self.entries[index + 1..].iter().filter(|after| same(after, entry));
            match others.count() {
                0 => writeln!(f, "{entry}")?,
                1 => writeln!(f, "{entry} (also in one more resource)")?,
                count => writeln!(f, "{entry} (also in {count} more resources)")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}", self.at, self.path, self.what)
    }
}
