use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::expression::{Error, Kind};
use crate::value::{Given, Item, Value};

const NAMES: &str = "ExpressionAttributeNames";
const VALUES: &str = "ExpressionAttributeValues";

/// What `#names` and `:values` stand for in the expressions of one request, and which were used.
#[derive(Debug, Default)]
pub(crate) struct Placeholders {
    names: BTreeMap<String, String>,
    values: BTreeMap<String, Arc<Value>>,
    unused_names: BTreeSet<String>,
    unused_values: BTreeSet<String>,
}

/// `ExpressionAttributeNames` and `ExpressionAttributeValues` as requests give them.
pub(crate) type Names = BTreeMap<String, String>;
pub(crate) type Values = BTreeMap<String, Given<Value>>;

impl Placeholders {
    /// Checks what a request gives, for the expressions it could have. `given` says which of them
    /// it has.
    pub(crate) fn new(
        names: Option<Names>,
        values: Option<Values>,
        given: &[(Kind, bool)],
    ) -> Result<Placeholders, Error> {
        Placeholders::check(names.is_some(), values.is_some(), given)?;
        let names = names.map(|names| keyed(NAMES, '#', names)).transpose()?.unwrap_or_default();
        let given = values.map(|values| keyed(VALUES, ':', values)).transpose()?;
        let mut values = BTreeMap::new();
        for (key, value) in given.unwrap_or_default() {
            let value =
                value.checked().map_err(|fault| Error::PlaceholderValue(key.clone(), fault))?;
            values.insert(key, Arc::new(value));
        }
        let (unused_names, unused_values) =
            (names.keys().cloned().collect(), values.keys().cloned().collect());
        Ok(Placeholders { names, values, unused_names, unused_values })
    }

    /// Fails where there are placeholders and no expressions to use them. AWS looks at this before
    /// it looks at what the placeholders and the other parameters are.
    pub(crate) fn check(names: bool, values: bool, given: &[(Kind, bool)]) -> Result<(), Error> {
        if names && !given.iter().any(|(_, given)| *given) {
            return Err(Error::NamesWithoutExpression);
        }
        match missing(given) {
            Some(expressions) if values => Err(Error::ValuesWithoutExpression(expressions)),
            _ => Ok(()),
        }
    }

    /// All values by their keys.
    pub(crate) fn all_values(&self) -> Item {
        self.values.iter().map(|(key, value)| (key.clone(), Value::clone(value))).collect()
    }

    /// The name behind `#name`.
    pub(crate) fn name(&mut self, key: &str) -> Option<String> {
        self.unused_names.remove(key);
        self.names.get(key).cloned()
    }

    /// The value behind `:value`.
    pub(crate) fn value(&mut self, key: &str) -> Option<Arc<Value>> {
        self.unused_values.remove(key);
        self.values.get(key).cloned()
    }

    /// Fails if there are placeholders that no expression has used.
    pub(crate) fn all_used(&self) -> Result<(), Error> {
        for (parameter, unused) in [(NAMES, &self.unused_names), (VALUES, &self.unused_values)] {
            if !unused.is_empty() {
                let keys: Vec<&str> = unused.iter().map(String::as_str).collect();
                return Err(Error::Unused(parameter, keys.join(", ")));
            }
        }
        Ok(())
    }
}

/// Which expressions that take values are missing, if all of them are.
fn missing(given: &[(Kind, bool)]) -> Option<&'static str> {
    let has = |kind: Kind| given.iter().any(|(k, _)| *k == kind);
    let takes_values = given.iter().filter(|(kind, _)| *kind != Kind::Projection);
    if takes_values.clone().any(|(_, given)| *given) {
        return None;
    }
    Some(if has(Kind::Update) {
        "UpdateExpression and ConditionExpression are null"
    } else if has(Kind::KeyCondition) {
        "FilterExpression and KeyConditionExpression are null"
    } else if has(Kind::Filter) {
        "FilterExpression is null"
    } else {
        "ConditionExpression is null"
    })
}

fn keyed<T>(
    parameter: &'static str,
    first: char,
    given: BTreeMap<String, T>,
) -> Result<BTreeMap<String, T>, Error> {
    if given.is_empty() {
        return Err(Error::NoPlaceholders(parameter));
    }
    let is_key = |key: &str| {
        key.strip_prefix(first).is_some_and(|word| {
            !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        })
    };
    match given.keys().find(|key| !is_key(key)) {
        Some(key) => Err(Error::PlaceholderKey(parameter, key.clone())),
        None => Ok(given),
    }
}
