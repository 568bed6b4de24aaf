//! The attributes of a queue that its owner sets.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use base::Arn;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::error::{Error, Result};

/// The largest message, its attributes included, and the largest batch.
pub(crate) const MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// The longest invisibility.
pub(crate) const VISIBILITY_SECS_MAX: u32 = 12 * 60 * 60;
pub(crate) const DELAY_SECS_MAX: u32 = 15 * 60;
pub(crate) const WAIT_SECS_MAX: u32 = 20;
const RETENTION_SECS: RangeInclusive<u32> = 60..=14 * 24 * 60 * 60;
const SIZE_BYTES: RangeInclusive<u32> = 1024..=1024 * 1024;
const RECEIVES: RangeInclusive<u32> = 1..=1000;

/// Attributes that AWS has and we do not serve. Each is refused unless it asks for what happens
/// anyway.
const NOT_SERVED: [&str; 4] = [
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "RedriveAllowPolicy",
    "SqsManagedSseEnabled",
];

/// The attributes of FIFO queues, the first of which says that it is one. AWS does not know them on
/// a standard queue, not even as `false`.
const FIFO: [&str; 4] =
    ["FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"];

/// Attributes that are told, not set.
pub(crate) const TOLD: [&str; 6] = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "QueueArn",
];

/// How a queue behaves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) visibility_secs: u32,
    pub(crate) delay_secs: u32,
    pub(crate) wait_secs: u32,
    pub(crate) retention_secs: u32,
    pub(crate) size_bytes_max: u32,
    pub(crate) redrive: Option<Redrive>,
    /// Kept for access control, which is to come.
    pub(crate) policy: Option<String>,
    /// Of a FIFO queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fifo: Option<Fifo>,
}

/// How a FIFO queue behaves. What it may do in a second is not limited, so the limit is only kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Fifo {
    /// A message without a deduplication id has the sum of its body for one.
    pub(crate) content_based: bool,
    /// Ids are distinct in a group, not in the queue.
    pub(crate) scope_is_group: bool,
    pub(crate) limit_is_by_group: bool,
}

/// When a message is given up, and where it goes then.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Redrive {
    pub(crate) to: Arn,
    pub(crate) receives_max: u32,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            visibility_secs: 30,
            delay_secs: 0,
            wait_secs: 0,
            retention_secs: 4 * 24 * 60 * 60,
            size_bytes_max: *SIZE_BYTES.end(),
            redrive: None,
            policy: None,
            fifo: None,
        }
    }
}

impl Settings {
    /// Sets the attributes given, all or none.
    pub(crate) fn apply(&self, given: &BTreeMap<String, String>) -> Result<Settings> {
        let mut settings = self.clone();
        for (name, value) in given {
            settings.set(name, value)?;
        }
        if settings.fifo.as_ref().is_some_and(|fifo| fifo.limit_is_by_group && !fifo.scope_is_group)
        {
            return Err(Error::InvalidAttributeValue(
                "FifoThroughputLimit. Reason: The perMessageGroupId value is allowed only when the \
                 value for DeduplicationScope is messageGroup"
                    .to_owned(),
            ));
        }
        Ok(settings)
    }

    /// Those of a queue that is made.
    pub(crate) fn new(given: &BTreeMap<String, String>) -> Result<Settings> {
        let fifo = wants_fifo(given).then(Fifo::default);
        Settings { fifo, ..Settings::default() }.apply(given)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let number = |range: RangeInclusive<u32>| {
            let parsed = value.parse().ok().filter(|number| range.contains(number));
            parsed.ok_or_else(|| Error::InvalidAttributeValue(name.to_owned()))
        };
        match name {
            "VisibilityTimeout" => self.visibility_secs = number(0..=VISIBILITY_SECS_MAX)?,
            "DelaySeconds" => self.delay_secs = number(0..=DELAY_SECS_MAX)?,
            "ReceiveMessageWaitTimeSeconds" => self.wait_secs = number(0..=WAIT_SECS_MAX)?,
            "MessageRetentionPeriod" => self.retention_secs = number(RETENTION_SECS)?,
            "MaximumMessageSize" => self.size_bytes_max = number(SIZE_BYTES)?,
            "RedrivePolicy" => self.redrive = redrive(value)?,
            "Policy" => self.policy = policy(value)?,
            _ if FIFO.contains(&name) => self.set_fifo(name, value)?,
            _ if NOT_SERVED.contains(&name) => {
                if !matches!(value, "" | "false") {
                    return Err(Error::not_served(format_args!("sqs queue attribute {name}")));
                }
            }
            _ => return Err(Error::InvalidAttributeName(name.to_owned())),
        }
        Ok(())
    }

    fn set_fifo(&mut self, name: &str, value: &str) -> Result<()> {
        let one_of = |no: &str, yes: &str| match value {
            _ if value == yes => Ok(true),
            _ if value == no => Ok(false),
            _ => Err(Error::InvalidAttributeValue(name.to_owned())),
        };
        let Some(fifo) = &mut self.fifo else {
            return Err(match (name, value) {
                ("FifoQueue", "true") => another_type(),
                _ => Error::InvalidAttributeName(name.to_owned()),
            });
        };
        match name {
            "ContentBasedDeduplication" => fifo.content_based = one_of("false", "true")?,
            "DeduplicationScope" => fifo.scope_is_group = one_of("queue", "messageGroup")?,
            "FifoThroughputLimit" => {
                fifo.limit_is_by_group = one_of("perQueue", "perMessageGroupId")?;
            }
            _ if one_of("false", "true")? => {}
            _ => return Err(another_type()),
        }
        Ok(())
    }

    /// All that is set, as AWS writes it.
    pub(crate) fn show(&self) -> BTreeMap<String, String> {
        let numbers = [
            ("VisibilityTimeout", self.visibility_secs),
            ("DelaySeconds", self.delay_secs),
            ("ReceiveMessageWaitTimeSeconds", self.wait_secs),
            ("MessageRetentionPeriod", self.retention_secs),
            ("MaximumMessageSize", self.size_bytes_max),
        ];
        let mut shown: BTreeMap<String, String> = numbers
            .into_iter()
            .map(|(name, number)| (name.to_owned(), number.to_string()))
            .collect();
        if let Some(fifo) = &self.fifo {
            let either = |is, no: &str, yes: &str| if is { yes } else { no }.to_owned();
            let values = [
                "true".to_owned(),
                either(fifo.content_based, "false", "true"),
                either(fifo.scope_is_group, "queue", "messageGroup"),
                either(fifo.limit_is_by_group, "perQueue", "perMessageGroupId"),
            ];
            shown.extend(FIFO.iter().map(|name| (*name).to_owned()).zip(values));
        }
        if let Some(Redrive { to, receives_max }) = &self.redrive {
            let text = json!({"deadLetterTargetArn": to, "maxReceiveCount": receives_max});
            shown.insert("RedrivePolicy".to_owned(), text.to_string());
        }
        if let Some(policy) = &self.policy {
            shown.insert("Policy".to_owned(), policy.clone());
        }
        shown
    }
}

/// Whether a queue is to be FIFO.
pub(crate) fn wants_fifo(given: &BTreeMap<String, String>) -> bool {
    given.get(FIFO[0]).is_some_and(|value| value == "true")
}

fn another_type() -> Error {
    let reason = "FifoQueue. Reason: Modifying queue type is not supported";
    Error::InvalidAttributeValue(reason.to_owned())
}

/// Whether this is the name of an attribute that this queue can be asked for.
pub(crate) fn is_known(settings: &Settings, name: &str) -> bool {
    name == "All"
        || settings.show().contains_key(name)
        || ["Policy", "RedrivePolicy"].contains(&name)
        || TOLD.contains(&name)
        || NOT_SERVED.contains(&name)
}

/// An empty text takes the policy away.
fn policy(text: &str) -> Result<Option<String>> {
    if text.is_empty() {
        return Ok(None);
    }
    let parsed: serde_json::Result<serde_json::Map<_, _>> = serde_json::from_str(text);
    parsed.map_err(|_| Error::InvalidAttributeValue("Policy".to_owned()))?;
    Ok(Some(text.to_owned()))
}

fn redrive(text: &str) -> Result<Option<Redrive>> {
    if text.is_empty() {
        return Ok(None);
    }
    let invalid = |reason: String| Error::invalid("RedrivePolicy", text, reason);
    let map: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text)
        .map_err(|_| invalid("Redrive policy is not a valid JSON map.".into()))?;
    let member = |name: &str| {
        map.get(name).ok_or_else(|| {
            invalid(format!("Redrive policy does not contain mandatory attribute: {name}."))
        })
    };
    // Both a number and its text are in use.
    let shown = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let to = shown(member("deadLetterTargetArn")?);
    let count = shown(member("maxReceiveCount")?);
    let to = to.parse().map_err(|_| invalid("Invalid value for deadLetterTargetArn.".into()))?;
    let receives_max =
        count.parse().ok().filter(|max| RECEIVES.contains(max)).ok_or_else(|| {
            invalid(format!(
                "Invalid value for maxReceiveCount: {count}, valid values are from 1 to 1000 both \
             inclusive."
            ))
        })?;
    Ok(Some(Redrive { to, receives_max }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, value: &str, expected: &str) {
        let given = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        let text = match Settings::default().apply(&given) {
            Ok(settings) => settings.show().remove(name).unwrap_or_default(),
            Err(error) => kit::Error::from(error).to_string(),
        };
        assert_eq!(text, expected, "{name}={value}");
    }

    #[test]
    fn each_attribute_is_set_or_refused_in_the_words_of_aws() {
        check("VisibilityTimeout", "0", "0");
        check("VisibilityTimeout", "43200", "43200");
        for wrong in ["43201", "-1", "x", ""] {
            let sentence =
                "InvalidAttributeValue: Invalid value for the parameter VisibilityTimeout.";
            check("VisibilityTimeout", wrong, sentence);
        }
        check("Nonsense", "1", "InvalidAttributeName: Unknown Attribute Nonsense.");
        check("QueueArn", "x", "InvalidAttributeName: Unknown Attribute QueueArn.");
        let sentence = "InvalidAttributeValue: Invalid value for the parameter FifoQueue. Reason: \
                        Modifying queue type is not supported.";
        check("FifoQueue", "true", sentence);
        check("FifoQueue", "false", "InvalidAttributeName: Unknown Attribute FifoQueue.");
        let deduplication = "ContentBasedDeduplication";
        let unknown = format!("InvalidAttributeName: Unknown Attribute {deduplication}.");
        check(deduplication, "false", &unknown);
        check("KmsMasterKeyId", "", "");
        check("SqsManagedSseEnabled", "false", "");
    }

    #[test]
    fn a_redrive_policy_is_shown_in_one_form() {
        let arn = "arn:aws:sqs:us-east-1:000000000000:dead";
        let shown = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":3}}"#);
        for count in ["3", r#""3""#] {
            let given = format!(r#"{{"maxReceiveCount":{count},"deadLetterTargetArn":"{arn}"}}"#);
            check("RedrivePolicy", &given, &shown);
        }
        check("RedrivePolicy", "", "");
        let given = format!(r#"{{"deadLetterTargetArn":"{arn}"}}"#);
        check(
            "RedrivePolicy",
            &given,
            &format!(
                "InvalidParameterValueException: Value {given} for parameter RedrivePolicy is \
                 invalid. Reason: Redrive policy does not contain mandatory attribute: \
                 maxReceiveCount."
            ),
        );
    }
}
