//! An object of a definition that knows where it stands, so that what it must not say is refused
//! with its place.

use serde_json::{Map, Value};

use super::InvalidDefinition;

/// How the names of API Gateway's extensions begin. All other `x-` are other tools'.
const EXTENSION: &str = "x-amazon-apigateway-";

/// An object and its JSON pointer, `#/paths/~1orders/get`.
pub(super) struct Place<'a> {
    members: &'a Map<String, Value>,
    pointer: String,
}

/// Which members an object may have. Any other is unexpected, and an extension that is not among
/// them is not served.
pub(super) struct Keys {
    pub(super) read: &'static [&'static str],
    /// Without effect at run time on AWS either.
    pub(super) inert: &'static [&'static str],
    /// What AWS has and we do not serve: refused if it says something.
    pub(super) unserved: &'static [&'static str],
}

impl<'a> Place<'a> {
    /// The document itself.
    pub(super) fn root(document: &'a Value) -> Result<Place<'a>, InvalidDefinition> {
        Place::of(document, "#".to_owned())
    }

    fn of(value: &'a Value, pointer: String) -> Result<Place<'a>, InvalidDefinition> {
        match value.as_object() {
            Some(members) => Ok(Place { members, pointer }),
            None => Err(InvalidDefinition::wrong(format!("{pointer} is not an object"))),
        }
    }

    /// Where a member stands.
    pub(super) fn at(&self, name: &str) -> String {
        pointer(&self.pointer, name)
    }

    /// A member that says something; none if it is missing or `null`.
    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    /// A member that is a text.
    pub(super) fn text(&self, name: &str) -> Result<Option<&'a str>, InvalidDefinition> {
        let text = |value: &'a Value| match value.as_str() {
            Some(text) => Ok(text),
            None => Err(self.wrong(name, "is not a text")),
        };
        self.get(name).map(text).transpose()
    }

    /// A member that is an object.
    pub(super) fn object(&self, name: &str) -> Result<Option<Place<'a>>, InvalidDefinition> {
        self.get(name).map(|value| Place::of(value, self.at(name))).transpose()
    }

    /// The names of the members, without those that other tools have added.
    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.members.keys().map(String::as_str).filter(|name| !is_foreign(name))
    }

    /// Refuses the first member that is not among the keys of any table.
    pub(super) fn check(&self, tables: &[&Keys]) -> Result<(), InvalidDefinition> {
        let among = |list: fn(&Keys) -> &'static [&'static str], name: &str| {
            tables.iter().any(|keys| list(keys).contains(&name))
        };
        for (name, value) in self.members {
            if among(|keys| keys.read, name) {
                continue;
            }
            if among(|keys| keys.inert, name) {
                refuse_extensions(value, &self.at(name))?;
            } else if among(|keys| keys.unserved, name) || name.starts_with(EXTENSION) {
                if says_something(value) {
                    return Err(InvalidDefinition::Unserved(self.at(name)));
                }
            } else if !is_foreign(name) {
                return Err(self.wrong(name, "is unexpected"));
            }
        }
        Ok(())
    }

    /// Refuses a member unless it asks for what happens anyway.
    pub(super) fn only(&self, name: &str, anyway: &[&str]) -> Result<(), InvalidDefinition> {
        let given = self.get(name).map(|value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
        match given {
            Some(given) if !anyway.iter().any(|known| given.eq_ignore_ascii_case(known)) => {
                Err(self.unserved(name, &given))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn wrong(&self, name: &str, what: &str) -> InvalidDefinition {
        InvalidDefinition::wrong(format!("{} {what}", self.at(name)))
    }

    /// A value that is not served.
    pub(super) fn unserved(&self, name: &str, value: &str) -> InvalidDefinition {
        InvalidDefinition::Unserved(format!("{} '{value}'", self.at(name)))
    }
}

fn is_foreign(name: &str) -> bool {
    name.starts_with("x-") && !name.starts_with(EXTENSION)
}

fn pointer(parent: &str, name: &str) -> String {
    format!("{parent}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// What is inert may still hold an extension that is not.
fn refuse_extensions(value: &Value, at: &str) -> Result<(), InvalidDefinition> {
    match value {
        Value::Object(members) => members.iter().try_for_each(|(name, value)| {
            let at = pointer(at, name);
            if name.starts_with(EXTENSION) && says_something(value) {
                return Err(InvalidDefinition::Unserved(at));
            }
            refuse_extensions(value, &at)
        }),
        Value::Array(items) => {
            let mut items = items.iter().enumerate();
            items.try_for_each(|(i, item)| refuse_extensions(item, &pointer(at, &i.to_string())))
        }
        _ => Ok(()),
    }
}

/// `security: [{"key": []}]` says something: here an empty list within an object is a value.
fn says_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) | Value::Number(_) => true,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => items.iter().any(says_something),
        Value::Object(members) => !members.is_empty(),
    }
}
