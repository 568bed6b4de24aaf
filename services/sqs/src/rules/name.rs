//! What a queue is called: its name, its URL, its ARN.

use base::{AccountId, Arn, Region};
use kit::Ctx;

use crate::error::{Error, Result};

const NAME_CHARS_MAX: usize = 80;
/// How the name of each FIFO queue ends, and of no other.
const FIFO_SUFFIX: &str = ".fifo";

/// A queue of our account.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct QueueId {
    pub(crate) region: Region,
    pub(crate) name: String,
}

impl QueueId {
    /// A queue to be made, under a name that is allowed.
    pub(crate) fn new(ctx: &Ctx, name: &str, is_fifo: bool) -> Result<QueueId> {
        let own = if is_fifo { name.strip_suffix(FIFO_SUFFIX) } else { Some(name) };
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let fits = |own: &str| !own.is_empty() && own.chars().all(allowed);
        if own.is_some_and(fits) && name.len() <= NAME_CHARS_MAX {
            return Ok(QueueId::named(ctx, name));
        }
        Err(Error::InvalidParameter(match is_fifo {
            true => "The name of a FIFO queue can only include alphanumeric characters, hyphens, \
                     or underscores, must end with .fifo suffix and be 1 to 80 in length"
                .into(),
            false => "Can only include alphanumeric characters, hyphens, or underscores. \
                      1 to 80 in length"
                .into(),
        }))
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

    pub(crate) fn is_fifo(&self) -> bool {
        self.name.ends_with(FIFO_SUFFIX)
    }

    pub(crate) fn arn(&self, account: &AccountId) -> Arn {
        Arn::new("sqs", &self.region, account, &self.name)
    }

    pub(crate) fn url(&self, ctx: &Ctx) -> String {
        format!("{}/{}/{}", ctx.base_url, ctx.account, self.name)
    }
}
