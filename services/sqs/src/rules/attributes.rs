//! Message attributes: what may be sent, and which of them a receiver asks for.

use std::collections::BTreeMap;

use wire::Blob;

use crate::api::{AttributeValue, Attributes};
use crate::data::{Attribute, Value};
use crate::error::{Error, Result};

const ATTRIBUTES_MAX: usize = 10;
const NAME_CHARS_MAX: usize = 256;
const TYPE_CHARS_MAX: usize = 256;
/// The one system attribute that can be sent.
const TRACE_HEADER: &str = "AWSTraceHeader";

/// Checks the attributes of a message to be sent.
pub(crate) fn read(given: Attributes) -> Result<BTreeMap<String, Attribute>> {
    if given.len() > ATTRIBUTES_MAX {
        return Err(Error::InvalidParameter(
            format!(
                "Number of message attributes [{}] exceeds the allowed maximum [{ATTRIBUTES_MAX}].",
                given.len()
            )
            .into(),
        ));
    }
    given
        .into_iter()
        .map(|(name, value)| {
            check_name(&name)?;
            let attribute = read_one(&name, value)?;
            Ok((name, attribute))
        })
        .collect()
}

/// Checks the system attributes of a message to be sent.
pub(crate) fn read_system(given: Attributes) -> Result<Option<Attribute>> {
    let mut found = None;
    for (name, value) in given {
        let attribute = read_one(&name, value)?;
        if name != TRACE_HEADER || attribute.data_type != "String" {
            return Err(Error::InvalidParameter(
                format!("Message system attribute name '{name}' is invalid.").into(),
            ));
        }
        found = Some(attribute);
    }
    Ok(found)
}

/// What the trace header counts as among the sums.
pub(crate) fn of_trace_header(attribute: &Option<Attribute>) -> Option<String> {
    let name = TRACE_HEADER.to_owned();
    super::digest::of_attributes(attribute.iter().map(|attribute| (&name, attribute)))
}

fn check_name(name: &str) -> Result<()> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let lower = name.to_ascii_lowercase();
    let reserved = lower.starts_with("aws.") || lower.starts_with("amazon.");
    let dots = name.starts_with('.') || name.ends_with('.') || name.contains("..");
    let length = !name.is_empty() && name.len() <= NAME_CHARS_MAX;
    if length && !reserved && !dots && name.chars().all(allowed) {
        return Ok(());
    }
    Err(Error::InvalidParameter(
        format!("The message attribute name '{name}' is invalid or reserved.").into(),
    ))
}

fn read_one(name: &str, given: AttributeValue) -> Result<Attribute> {
    let refuse = |sentence: String| Err(Error::InvalidParameter(sentence.into()));
    if !given.string_list_values.is_empty() || !given.binary_list_values.is_empty() {
        return refuse(
            "Message attribute list values in SendMessage operation are not supported.".into(),
        );
    }
    let data_type = given.data_type.unwrap_or_default();
    if data_type.is_empty() {
        return refuse(format!(
            "The message attribute '{name}' must contain non-empty message attribute type."
        ));
    }
    let kind = data_type.split('.').next().unwrap_or_default();
    if !matches!(kind, "String" | "Number" | "Binary") || data_type.len() > TYPE_CHARS_MAX {
        return refuse(format!(
            "The message attribute '{name}' has an invalid message attribute type, the set of \
             supported type prefixes is Binary, Number, and String."
        ));
    }
    let value = match (kind, given.string_value, given.binary_value) {
        ("Binary", None, Some(Blob(bytes))) if !bytes.is_empty() => Value::Binary(bytes),
        ("String" | "Number", Some(text), None) if !text.is_empty() => Value::Text(text),
        _ => {
            let form = if kind == "Binary" { "binary" } else { "string" };
            return refuse(format!(
                "The message attribute '{name}' with type '{kind}' must use field '{form}'."
            ));
        }
    };
    if let Value::Text(text) = &value {
        check_text(text)?;
        if kind == "Number" && text.trim().parse::<f64>().is_err() {
            return refuse(format!(
                "Can't cast the value of message (user) attribute '{name}' to a number."
            ));
        }
    }
    Ok(Attribute { data_type, value })
}

/// Text may hold what XML may hold. Surrogates cannot be in text anyway.
pub(crate) fn check_text(text: &str) -> Result<()> {
    let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..);
    if text.chars().all(allowed) { Ok(()) } else { Err(Error::InvalidMessageContents) }
}

/// How much attributes count towards the size of a message.
pub(crate) fn bytes(attributes: &BTreeMap<String, Attribute>) -> usize {
    attributes
        .iter()
        .map(|(name, Attribute { data_type, value })| {
            let value = match value {
                Value::Text(text) => text.len(),
                Value::Binary(bytes) => bytes.len(),
            };
            name.len() + data_type.len() + value
        })
        .sum()
}

/// Those of the attributes a receiver asks for: by name, all (`All`, `.*`) or by prefix (`a.*`).
pub(crate) fn asked<'a>(
    attributes: &'a BTreeMap<String, Attribute>,
    names: &[String],
) -> BTreeMap<&'a String, &'a Attribute> {
    let asks = |name: &String| {
        names.iter().any(|asked| match asked.strip_suffix(".*") {
            Some(prefix) => name.starts_with(prefix),
            None => asked == "All" || asked == "*" || asked == name,
        })
    };
    attributes.iter().filter(|(name, _)| asks(name)).collect()
}

/// An attribute as it goes over the wire.
pub(crate) fn write(attribute: &Attribute) -> AttributeValue {
    let data_type = Some(attribute.data_type.clone());
    match &attribute.value {
        Value::Text(text) => AttributeValue {
            string_value: Some(text.clone()),
            data_type,
            ..AttributeValue::default()
        },
        Value::Binary(bytes) => AttributeValue {
            binary_value: Some(Blob(bytes.clone())),
            data_type,
            ..AttributeValue::default()
        },
    }
}
