//! What a queue is called: its name, its URL, its ARN.

use base::{AccountId, Arn, Region};
use kit::Ctx;

use crate::error::{Error, Result};

const NAME_CHARS_MAX: usize = 80;

/// A queue of our account.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct QueueId {
    pub(crate) region: Region,
    pub(crate) name: String,
}

impl QueueId {
    /// A queue to be made, under a name that is allowed.
    pub(crate) fn new(ctx: &Ctx, name: &str) -> Result<QueueId> {
        if name.ends_with(".fifo") {
            return Err(Error::not_served("sqs.CreateQueue of a FIFO queue"));
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(allowed) {
            return Err(Error::InvalidParameter(
                "Can only include alphanumeric characters, hyphens, or underscores. \
                 1 to 80 in length"
                    .into(),
            ));
        }
        Ok(QueueId::named(ctx, name))
    }

    /// A queue that may exist.
    pub(crate) fn named(ctx: &Ctx, name: &str) -> QueueId {
        QueueId { region: ctx.region.clone(), name: name.to_owned() }
    }

    /// The queue a URL names. Scheme, host and port do not count: a URL stays good when the
    /// server moves, and clients rewrite them.
    pub(crate) fn from_url(ctx: &Ctx, url: Option<&str>) -> Result<QueueId> {
        let url = url.ok_or(Error::MissingParameter("QueueUrl"))?;
        let path = url.split_once("://").map_or(url, |(_, rest)| rest);
        let mut parts = path.trim_end_matches('/').rsplit('/');
        let (name, account) = (parts.next(), parts.next());
        let (Some(name), Some(Ok(account))) = (name, account.map(str::parse::<AccountId>)) else {
            return Err(Error::InvalidAddress(url.to_owned()));
        };
        if account != ctx.account {
            return Err(Error::QueueDoesNotExist);
        }
        Ok(QueueId::named(ctx, name))
    }

    /// The queue an ARN names, where that is one of the account.
    pub(crate) fn from_arn(account: &AccountId, arn: &Arn) -> Option<QueueId> {
        let ours = arn.service == "sqs" && arn.account == account.as_str();
        let region = arn.region.parse().ok().filter(|_| ours)?;
        Some(QueueId { region, name: arn.resource.clone() })
    }

    pub(crate) fn arn(&self, account: &AccountId) -> Arn {
        Arn::new("sqs", &self.region, account, &self.name)
    }

    pub(crate) fn url(&self, ctx: &Ctx) -> String {
        format!("{}/{}/{}", ctx.base_url, ctx.account, self.name)
    }
}
