use std::fmt;

use crate::value::{Item, Value};

/// A step of a document path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    Name(String),
    Index(usize),
}

/// Where something stands in an item: `a.b[0].c`. The first step is a name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Path {
    head: String,
    steps: Vec<Step>,
}

impl Path {
    pub(crate) fn new(head: String) -> Path {
        Path { head, steps: Vec::new() }
    }

    pub(crate) fn push(&mut self, step: Step) {
        self.steps.push(step);
    }

    /// The attribute it begins with.
    pub(crate) fn head(&self) -> &str {
        &self.head
    }

    /// The way below the attribute; empty where the path is the attribute itself.
    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// What stands there.
    pub(crate) fn get<'a>(&self, item: &'a Item) -> Option<&'a Value> {
        self.steps.iter().try_fold(item.get(&self.head)?, |value, step| match (value, step) {
            (Value::M(map), Step::Name(name)) => map.get(name),
            (Value::L(list), Step::Index(index)) => list.get(*index),
            _ => None,
        })
    }

    /// One path is the other, or leads to it.
    pub(crate) fn overlaps(&self, other: &Path) -> bool {
        let shorter = self.steps.len().min(other.steps.len());
        self.head == other.head && self.steps[..shorter] == other.steps[..shorter]
    }

    /// The same place would have to be a list and a map.
    pub(crate) fn conflicts(&self, other: &Path) -> bool {
        let differing = self.steps.iter().zip(&other.steps).find(|(a, b)| a != b);
        self.head == other.head
            && matches!(
                differing,
                Some((Step::Name(_), Step::Index(_)) | (Step::Index(_), Step::Name(_)))
            )
    }
}

/// As it stands in AWS's messages: `[a, b, [0], c]`.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}", self.head)?;
        for step in &self.steps {
            match step {
                Step::Name(name) => write!(f, ", {name}")?,
                Step::Index(index) => write!(f, ", [{index}]")?,
            }
        }
        f.write_str("]")
    }
}
