//! What may be published.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use wire::Blob;

use crate::api::{AttributeValue, Attributes, PublishInput};
use crate::data::{Attribute, Value};
use crate::error::{Error, Result};

/// The largest message, and the largest batch, with attributes.
pub(crate) const MESSAGE_BYTES_MAX: usize = 256 * 1024;
const SUBJECT_CHARS_MAX: usize = 100;
const ATTRIBUTE_NAME_CHARS_MAX: usize = 256;

/// The content of a message that is right in itself.
pub(crate) struct Content {
    pub(crate) subject: Option<String>,
    pub(crate) text: String,
    pub(crate) texts: BTreeMap<String, String>,
    pub(crate) attributes: BTreeMap<String, Attribute>,
}

/// Checks all that can be checked without the topic.
pub(crate) fn read(input: PublishInput) -> Result<Content> {
    if input.message_deduplication_id.is_some() {
        return Err(Error::parameter(
            "MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter \
             that is not valid for this topic type",
        ));
    }
    if input.message_group_id.is_some() {
        return Err(Error::not_served("sns.Publish with MessageGroupId"));
    }
    if size(&input) > MESSAGE_BYTES_MAX {
        return Err(Error::parameter("Message too long"));
    }
    let message = input.message.filter(|message| !message.is_empty());
    let message = message.ok_or_else(|| Error::parameter("Empty message"))?;
    if let Some(subject) = &input.subject {
        let allowed = |c: char| c.is_ascii() && !c.is_ascii_control();
        let length = (1..=SUBJECT_CHARS_MAX).contains(&subject.chars().count());
        if !length || !subject.chars().all(allowed) || subject.starts_with(' ') {
            return Err(Error::parameter("Subject"));
        }
    }
    let attributes = attributes(input.message_attributes)?;
    let (text, texts) = match input.message_structure.as_deref() {
        None | Some("") => (message, BTreeMap::new()),
        Some("json") => by_protocol(&message)?,
        Some(_) => return Err(Error::parameter("MessageStructure")),
    };
    Ok(Content { subject: input.subject, text, texts, attributes })
}

/// `MessageStructure=json`: a text for each protocol that has its own, and one for all others.
fn by_protocol(message: &str) -> Result<(String, BTreeMap<String, String>)> {
    let structure = |reason: &str| Error::parameter(format!("Message Structure - {reason}"));
    let parsed: serde_json::Map<String, Json> = serde_json::from_str(message)
        .map_err(|_| structure("JSON message body failed to parse"))?;
    let mut texts: BTreeMap<String, String> = parsed
        .into_iter()
        .filter_map(|(protocol, text)| match text {
            Json::String(text) => Some((protocol, text)),
            // AWS leaves out what is no text.
            _ => None,
        })
        .collect();
    let text = texts.remove("default");
    let text = text.ok_or_else(|| structure("No default entry in JSON message body"))?;
    Ok((text, texts))
}

/// What a message counts towards the limits.
pub(crate) fn size(input: &PublishInput) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let attributes = input.message_attributes.iter().map(|(name, value)| {
        let binary = value.binary_value.as_ref().map_or(0, |blob| blob.0.len());
        name.len() + text(&value.data_type) + text(&value.string_value) + binary
    });
    text(&input.message) + attributes.sum::<usize>()
}

fn attributes(given: Attributes) -> Result<BTreeMap<String, Attribute>> {
    let read = |(name, value): (String, AttributeValue)| {
        check_name(&name)?;
        let attribute = attribute(&name, value)?;
        Ok((name, attribute))
    };
    given.into_iter().map(read).collect()
}

fn check_name(name: &str) -> Result<()> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let lower = name.to_ascii_lowercase();
    let reserved = lower.starts_with("aws.") || lower.starts_with("amazon.");
    let dots = name.starts_with('.') || name.ends_with('.') || name.contains("..");
    let length = (1..=ATTRIBUTE_NAME_CHARS_MAX).contains(&name.len());
    if length && !reserved && !dots && name.chars().all(allowed) {
        return Ok(());
    }
    Err(Error::InvalidValue(format!("The message attribute name '{name}' is invalid or reserved.")))
}

fn attribute(name: &str, given: AttributeValue) -> Result<Attribute> {
    let refuse = |sentence: String| Err(Error::InvalidValue(sentence));
    let data_type = given.data_type.unwrap_or_default();
    if data_type.is_empty() {
        return refuse(format!(
            "The message attribute '{name}' must contain non-empty message attribute type."
        ));
    }
    let kind = data_type.split('.').next().unwrap_or_default();
    let value = match (kind, given.string_value, given.binary_value) {
        ("String" | "Number", Some(text), None) if !text.is_empty() => Value::Text(text),
        ("Binary", None, Some(Blob(bytes))) if !bytes.is_empty() => Value::Binary(bytes),
        ("String" | "Number" | "Binary", None, None) => {
            return refuse(format!(
                "The message attribute '{name}' must contain non-empty message attribute value \
                 for message attribute type '{data_type}'."
            ));
        }
        ("String" | "Number" | "Binary", ..) => {
            let field = if kind == "Binary" { "BinaryValue" } else { "StringValue" };
            return refuse(format!(
                "The message attribute '{name}' with type '{data_type}' must use field '{field}'."
            ));
        }
        _ => {
            return refuse(format!(
                "The message attribute '{name}' has an invalid message attribute type, the set of \
                 supported type prefixes is Binary, Number, and String."
            ));
        }
    };
    if let (Value::Text(text), "Number") = (&value, kind)
        && !text.trim().parse::<f64>().is_ok_and(f64::is_finite)
    {
        return refuse(format!("Could not cast message attribute '{name}' value to number."));
    }
    Ok(Attribute { data_type, value })
}
