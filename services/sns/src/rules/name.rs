//! What topics and subscriptions are called.

use base::{AccountId, Arn, Region};
use kit::Ctx;

use crate::error::{Error, Result};

const NAME_CHARS_MAX: usize = 256;
/// Parts of any ARN.
const ARN_PARTS: usize = 6;

/// A topic of our account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TopicId {
    pub(crate) region: Region,
    pub(crate) name: String,
}

/// A subscription to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SubscriptionId {
    pub(crate) topic: TopicId,
    pub(crate) id: String,
}

impl TopicId {
    /// A topic to be made, under a name that is allowed.
    pub(crate) fn new(ctx: &Ctx, name: &str) -> Result<TopicId> {
        if name.ends_with(".fifo") {
            return Err(Error::not_served("sns.CreateTopic of a FIFO topic"));
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(allowed) {
            return Err(Error::parameter("Topic Name"));
        }
        Ok(TopicId { region: ctx.region.clone(), name: name.to_owned() })
    }

    /// The topic an ARN names.
    pub(crate) fn from_text(ctx: &Ctx, parameter: &str, text: Option<&str>) -> Result<TopicId> {
        let arn = arn(ctx, parameter, text)?;
        TopicId::from_arn(&arn).ok_or(Error::NoTopic)
    }

    pub(crate) fn from_arn(arn: &Arn) -> Option<TopicId> {
        if arn.resource.contains(':') {
            return None;
        }
        Some(TopicId { region: arn.region.parse().ok()?, name: arn.resource.clone() })
    }

    pub(crate) fn arn(&self, account: &AccountId) -> Arn {
        Arn::new("sns", &self.region, account, &self.name)
    }
}

impl SubscriptionId {
    /// The subscription an ARN names.
    pub(crate) fn from_text(ctx: &Ctx, text: Option<&str>) -> Result<SubscriptionId> {
        let arn = arn(ctx, "SubscriptionArn", text)?;
        let region = arn.region.parse().map_err(|_| Error::NoSubscription)?;
        let (name, id) = arn.resource.split_once(':').ok_or(Error::NoSubscription)?;
        let topic = TopicId { region, name: name.to_owned() };
        Ok(SubscriptionId { topic, id: id.to_owned() })
    }

    pub(crate) fn arn(&self, account: &AccountId) -> Arn {
        let resource = format!("{}:{}", self.topic.name, self.id);
        Arn::new("sns", &self.topic.region, account, resource)
    }
}

/// An ARN of ours, or what is wrong with it in AWS's words.
fn arn(ctx: &Ctx, parameter: &str, text: Option<&str>) -> Result<Arn> {
    let invalid = |reason: &str| Error::parameter(format!("{parameter} Reason: {reason}"));
    let text = text.ok_or_else(|| invalid("no value for required parameter"))?;
    let parts = text.split(':').count();
    if parts < ARN_PARTS {
        let reason = format!("An ARN must have at least {ARN_PARTS} elements, not {parts}");
        return Err(invalid(&reason));
    }
    let arn: Arn = text.parse().map_err(|_| invalid("not a valid ARN"))?;
    if arn.service != "sns" || arn.account != ctx.account.as_str() {
        return Err(invalid("not an ARN of this service and account"));
    }
    Ok(arn)
}
