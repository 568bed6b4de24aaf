//! The attributes of topics and subscriptions.

use base::{AccountId, Arn};
use serde_json::{Value, json};

use crate::api::Texts;
use crate::data::{Protocol, Scope, Settings, Subscription, Topic};
use crate::error::{Error, Result};
use crate::rules::filter;
use crate::rules::name::{SubscriptionId, TopicId};

const DISPLAY_NAME_CHARS_MAX: usize = 100;

/// Attributes of topics that AWS has and we do not serve. Each is refused unless it asks for what
/// happens anyway. Those of the delivery status logs end in the same words for each protocol.
const TOPIC_NOT_SERVED: [&str; 9] = [
    "ArchivePolicy",
    "ContentBasedDeduplication",
    "DataProtectionPolicy",
    "DeliveryPolicy",
    "FifoThroughputScope",
    "FifoTopic",
    "KmsMasterKeyId",
    "SignatureVersion",
    "TracingConfig",
];
const TOPIC_NOT_SERVED_ENDS: [&str; 3] =
    ["SuccessFeedbackRoleArn", "SuccessFeedbackSampleRate", "FailureFeedbackRoleArn"];

const SUBSCRIPTION_NOT_SERVED: [&str; 3] =
    ["DeliveryPolicy", "ReplayPolicy", "SubscriptionRoleArn"];

impl Topic {
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<()> {
        match name {
            "DisplayName" => {
                if value.chars().count() > DISPLAY_NAME_CHARS_MAX {
                    return Err(Error::parameter("DisplayName"));
                }
                value.clone_into(&mut self.display_name);
            }
            "Policy" => {
                let policy: Option<serde_json::Map<String, Value>> =
                    serde_json::from_str(value).ok();
                policy.ok_or_else(|| Error::parameter("Policy Error: null"))?;
                self.policy = Some(value.to_owned());
            }
            _ if TOPIC_NOT_SERVED.contains(&name)
                || TOPIC_NOT_SERVED_ENDS.iter().any(|end| name.ends_with(end)) =>
            {
                if !matches!(value, "" | "false" | "PassThrough") {
                    return Err(Error::not_served(format_args!("sns topic attribute {name}")));
                }
            }
            _ => return Err(Error::parameter("AttributeName")),
        }
        Ok(())
    }

    /// All attributes, as AWS writes them.
    pub(crate) fn show(&self, account: &AccountId, id: &TopicId, subscriptions: usize) -> Texts {
        let arn = id.arn(account).to_string();
        let policy = self.policy.clone().unwrap_or_else(|| default_policy(account, &arn));
        [
            ("TopicArn", arn),
            ("Owner", account.to_string()),
            ("DisplayName", self.display_name.clone()),
            ("Policy", policy),
            ("SubscriptionsConfirmed", subscriptions.to_string()),
            ("SubscriptionsDeleted", "0".to_owned()),
            ("SubscriptionsPending", "0".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }
}

/// What AWS shows for a topic whose policy nobody has set: its owner may do everything.
fn default_policy(account: &AccountId, arn: &str) -> String {
    let actions = [
        "GetTopicAttributes",
        "SetTopicAttributes",
        "AddPermission",
        "RemovePermission",
        "DeleteTopic",
        "Subscribe",
        "ListSubscriptionsByTopic",
        "Publish",
    ];
    json!({
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [{
            "Sid": "__default_statement_ID",
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": actions.map(|action| format!("SNS:{action}")),
            "Resource": arn,
            "Condition": {"StringEquals": {"AWS:SourceOwner": account.as_str()}},
        }],
    })
    .to_string()
}

impl Settings {
    /// Sets the attributes given, all or none. `prefix` stands before the sentence about a wrong
    /// one: `Attributes Reason: ` at Subscribe.
    pub(crate) fn apply(
        &self,
        protocol: Protocol,
        given: &Texts,
        prefix: &'static str,
    ) -> Result<Settings> {
        let mut settings = self.clone();
        for (name, value) in given {
            settings.set(protocol, name, value, prefix)?;
        }
        // Whether a policy is right depends on its scope, which may come with it or alone.
        if let Some(policy) = &settings.filter {
            filter::Policy::parse(policy, settings.scope)
                .map_err(|fault| Error::parameter(format!("{prefix}FilterPolicy: {fault}")))?;
        }
        Ok(settings)
    }

    fn set(&mut self, protocol: Protocol, name: &str, value: &str, prefix: &str) -> Result<()> {
        let invalid = |reason: &str| Error::parameter(format!("{prefix}{name}: {reason}"));
        match name {
            "RawMessageDelivery" => {
                self.raw = match value.to_ascii_lowercase().as_str() {
                    "true" => true,
                    "false" => false,
                    _ => {
                        let reason = format!("Invalid value [{value}]. Must be true or false.");
                        return Err(invalid(&reason));
                    }
                };
                if self.raw && protocol == Protocol::Lambda {
                    return Err(Error::parameter(format!(
                        "{prefix}Delivery protocol [lambda] does not support raw message delivery."
                    )));
                }
            }
            "FilterPolicy" => {
                let empty = value.is_empty() || value.trim() == "{}";
                self.filter = (!empty).then(|| value.to_owned());
            }
            "FilterPolicyScope" => {
                self.scope = match value {
                    "MessageAttributes" => Scope::MessageAttributes,
                    "MessageBody" => Scope::MessageBody,
                    _ => {
                        let reason = format!(
                            "Invalid value [{value}]. Please use either MessageBody or \
                             MessageAttributes"
                        );
                        return Err(invalid(&reason));
                    }
                };
            }
            "RedrivePolicy" => self.dead_letters = dead_letters(value, &invalid)?,
            _ if SUBSCRIPTION_NOT_SERVED.contains(&name) => {
                if !value.is_empty() {
                    let what = format_args!("sns subscription attribute {name}");
                    return Err(Error::not_served(what));
                }
            }
            _ => return Err(Error::parameter("AttributeName")),
        }
        Ok(())
    }
}

fn dead_letters(text: &str, invalid: &dyn Fn(&str) -> Error) -> Result<Option<Arn>> {
    if text.is_empty() || text.trim() == "{}" {
        return Ok(None);
    }
    let policy: Value = serde_json::from_str(text).map_err(|_| invalid("failed to parse JSON."))?;
    let arn = policy["deadLetterTargetArn"].as_str().and_then(|text| text.parse::<Arn>().ok());
    match arn {
        // All topics here are standard ones.
        Some(arn) if arn.service == "sqs" && arn.resource.ends_with(".fifo") => {
            Err(invalid("must use a standard queue as DLQ for a Subscription to a standard Topic."))
        }
        Some(arn) if arn.service == "sqs" => Ok(Some(arn)),
        _ => Err(invalid("deadLetterTargetArn is an invalid arn")),
    }
}

impl Subscription {
    /// All attributes, as AWS writes them.
    pub(crate) fn show(&self, account: &AccountId, id: &SubscriptionId) -> Texts {
        let Settings { raw, filter, scope, dead_letters } = &self.settings;
        let mut shown: Texts = [
            ("SubscriptionArn", id.arn(account).to_string()),
            ("TopicArn", id.topic.arn(account).to_string()),
            ("Owner", account.to_string()),
            ("Protocol", self.protocol.name().to_owned()),
            ("Endpoint", self.endpoint.to_string()),
            ("RawMessageDelivery", raw.to_string()),
            ("PendingConfirmation", "false".to_owned()),
            ("ConfirmationWasAuthenticated", "true".to_owned()),
            ("SubscriptionPrincipal", kit::Caller::root(account).arn.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        if let Some(filter) = filter {
            let scope = match scope {
                Scope::MessageAttributes => "MessageAttributes",
                Scope::MessageBody => "MessageBody",
            };
            shown.insert("FilterPolicy".to_owned(), filter.clone());
            shown.insert("FilterPolicyScope".to_owned(), scope.to_owned());
        }
        if let Some(arn) = dead_letters {
            let policy = json!({ "deadLetterTargetArn": arn }).to_string();
            shown.insert("RedrivePolicy".to_owned(), policy);
        }
        shown
    }
}
