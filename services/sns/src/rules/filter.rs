//! Filter policies: which messages a subscription wants.
//!
//! A policy names keys and, for each, the values wanted: all keys must be met, each by one of its
//! values. It looks at message attributes, or into a body that is JSON.

use std::collections::BTreeMap;

use pattern::{Dialect, Pattern};
use serde_json::{Map, Value as Json};

use crate::data::{Attribute, Scope, Value};

/// Keys at the ends of a policy.
const KEYS_MAX: usize = 5;
/// The product of the numbers of values, each times the depth of its key.
const COMBINATIONS_MAX: usize = 150;
const POLICY_BYTES_MAX: usize = 256 * 1024;
const NUMBER_MAX: f64 = 1e9;

/// A checked filter policy.
#[derive(Debug, PartialEq)]
pub(crate) struct Policy {
    scope: Scope,
    pattern: Pattern,
}

impl Policy {
    /// Reads a policy, or says in AWS's words what is wrong with it.
    pub(crate) fn parse(text: &str, scope: Scope) -> Result<Policy, String> {
        if text.len() > POLICY_BYTES_MAX {
            return Err("Filter policy is too large".into());
        }
        let members: Map<String, Json> =
            serde_json::from_str(text).map_err(|_| "failed to parse JSON.".to_owned())?;
        let flat = match scope {
            Scope::MessageAttributes => {
                Some("Filter policy scope MessageAttributes does not support nested filter policy")
            }
            Scope::MessageBody => None,
        };
        let pattern = Pattern::read(&members, &Dialect { number_max: NUMBER_MAX, flat })?;
        if pattern.keys() > KEYS_MAX {
            return Err(format!("Filter policy can not have more than {KEYS_MAX} keys"));
        }
        if pattern.combinations() > COMBINATIONS_MAX {
            return Err("Filter policy is too complex".into());
        }
        Ok(Policy { scope, pattern })
    }

    /// Whether a message with these attributes and this body is wanted.
    pub(crate) fn wants(&self, attributes: &BTreeMap<String, Attribute>, body: &str) -> bool {
        match self.scope {
            Scope::MessageAttributes => {
                let found =
                    attributes.iter().filter_map(|(name, a)| Some((name.clone(), json(a)?)));
                self.pattern.wants(&Json::Object(found.collect()))
            }
            // What is no JSON object has no key, and none is what a policy may ask for: no.
            Scope::MessageBody => match serde_json::from_str::<Map<String, Json>>(body) {
                Ok(body) => self.pattern.wants(&Json::Object(body)),
                Err(_) => false,
            },
        }
    }
}

/// An attribute as the JSON value it stands for. Policies do not see binary ones.
fn json(attribute: &Attribute) -> Option<Json> {
    let Value::Text(text) = &attribute.value else { return None };
    match attribute.data_type.as_str() {
        "String.Array" => serde_json::from_str(text).ok().filter(Json::is_array),
        kind if kind.starts_with("Number") => {
            let number: f64 = text.trim().parse().ok()?;
            serde_json::Number::from_f64(number).map(Json::Number)
        }
        _ => Some(Json::String(text.clone())),
    }
}

#[cfg(test)]
mod tests;
