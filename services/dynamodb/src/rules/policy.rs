//! What a resource policy may be, and the form in which it is kept.

use std::fmt::Display;

use base::AccountId;
use serde_json::{Map, Value};

use crate::error::Error;

const DOCUMENT_BYTES_MAX: usize = 20_480;
/// What a document says that does not say its version.
const VERSION: &str = "2008-10-17";
const MEMBERS: &[&str] = &["Version", "Id", "Statement"];
const STATEMENT_MEMBERS: &[&str] = &[
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];

/// A document in the form in which it is given back: without spaces, its members in their usual
/// order, lists of one as that one.
pub(crate) fn canonical(document: &str) -> Result<String, Error> {
    if document.len() > DOCUMENT_BYTES_MAX {
        return Err(Error::invalid(format_args!(
            "Maximum policy size of {DOCUMENT_BYTES_MAX} bytes exceeded"
        )));
    }
    let parsed: Option<Map<String, Value>> = serde_json::from_str(document).ok();
    let mut policy = parsed.ok_or_else(|| fault("This policy contains invalid Json"))?;
    known(&policy, MEMBERS)?;
    policy.entry("Version").or_insert_with(|| VERSION.into());
    let statements = match policy.remove("Statement") {
        Some(Value::Array(all)) if !all.is_empty() => all,
        Some(one @ Value::Object(_)) => vec![one],
        _ => return Err(fault("Could not parse the policy: Statement is empty!")),
    };
    let statements = statements.into_iter().map(canonical_statement);
    let statements = statements.collect::<Result<Vec<String>, Error>>()?;
    let statements = format!("[{}]", statements.join(","));
    Ok(in_order(&policy, MEMBERS, |name| (name == "Statement").then(|| statements.clone())))
}

fn canonical_statement(statement: Value) -> Result<String, Error> {
    let Value::Object(mut statement) = statement else {
        return Err(fault("This policy contains invalid Json"));
    };
    known(&statement, STATEMENT_MEMBERS)?;
    for (one, other) in
        [("Principal", "NotPrincipal"), ("Action", "NotAction"), ("Resource", "NotResource")]
    {
        if !statement.contains_key(one) && !statement.contains_key(other) {
            return Err(fault(format_args!("Missing required field {one}")));
        }
    }
    let effect = statement.get("Effect").and_then(Value::as_str);
    let effect = match effect.map(str::to_ascii_lowercase).as_deref() {
        Some("allow") => "Allow",
        Some("deny") => "Deny",
        None => return Err(fault("Missing required field Effect")),
        Some(_) => return Err(fault("Invalid effect")),
    };
    statement.insert("Effect".to_owned(), effect.into());
    for name in ["Action", "NotAction", "Resource", "NotResource"] {
        if let Some(value) = statement.get_mut(name) {
            single(value);
        }
    }
    if let Some(Value::Object(principal)) = statement.get_mut("Principal") {
        principal.values_mut().for_each(whole_accounts);
    }
    Ok(in_order(&statement, STATEMENT_MEMBERS, |_| None))
}

fn known(object: &Map<String, Value>, names: &[&str]) -> Result<(), Error> {
    match object.keys().find(|name| !names.contains(&name.as_str())) {
        Some(name) => Err(fault(format_args!("Unknown field {name}"))),
        None => Ok(()),
    }
}

/// An account's number stands for its root.
fn whole_accounts(value: &mut Value) {
    match value {
        Value::Array(all) => {
            all.iter_mut().for_each(whole_accounts);
            all.dedup();
            single(value);
        }
        Value::String(text) if text.parse::<AccountId>().is_ok() => {
            *text = format!("arn:aws:iam::{text}:root");
        }
        _ => {}
    }
}

fn single(value: &mut Value) {
    if let Value::Array(all) = value
        && all.len() == 1
    {
        *value = all.remove(0);
    }
}

/// An object as text, its members in a given order, some of them as text already.
fn in_order(
    object: &Map<String, Value>,
    names: &[&str],
    text: impl Fn(&str) -> Option<String>,
) -> String {
    let member = |name: &&str| {
        let value = text(name).or_else(|| object.get(*name).map(Value::to_string))?;
        Some(format!("\"{name}\":{value}"))
    };
    let members: Vec<String> = names.iter().filter_map(member).collect();
    format!("{{{}}}", members.join(","))
}

fn fault(why: impl Display) -> Error {
    Error::invalid(format_args!("Invalid policy document: {why}"))
}
