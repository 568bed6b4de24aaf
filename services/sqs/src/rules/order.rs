//! What says where a message of a FIFO queue stands, and that it is not sent twice.

use sha2::{Digest as _, Sha256};

use crate::data::{Order, Queue};
use crate::error::{Error, Result};

const ID_CHARS_MAX: usize = 128;

/// What a sender says of it.
#[derive(Debug, Default)]
pub(crate) struct Given {
    pub(crate) group: Option<String>,
    pub(crate) deduplication_id: Option<String>,
    pub(crate) sum_of_body: Option<String>,
}

impl Given {
    /// What can be checked without the queue.
    pub(crate) fn read(
        group: Option<String>,
        deduplication_id: Option<String>,
        body: &str,
    ) -> Result<Given> {
        if let Some(group) = &group {
            check("MessageGroupId", group)?;
        }
        if let Some(id) = &deduplication_id {
            check("MessageDeduplicationId", id)?;
        }
        // Only a FIFO queue asks for it, and only if there is no id.
        let sum_of_body = match (&group, &deduplication_id) {
            (Some(_), None) => Some(sum(body)),
            _ => None,
        };
        Ok(Given { group, deduplication_id, sum_of_body })
    }

    /// The place of the message in this queue; none on a standard queue.
    pub(crate) fn on(&self, queue: &Queue) -> Result<Option<Order>> {
        let Some(fifo) = &queue.settings.fifo else {
            if self.deduplication_id.is_some() {
                return Err(Error::for_other_type("MessageDeduplicationId"));
            }
            return match self.group {
                Some(_) => {
                    Err(Error::not_served("MessageGroupId of a message on a standard queue"))
                }
                None => Ok(None),
            };
        };
        let group = self.group.clone().ok_or(Error::MissingParameter("MessageGroupId"))?;
        let sum = || self.sum_of_body.clone().filter(|_| fifo.content_based);
        let deduplication_id = self.deduplication_id.clone().or_else(sum).ok_or_else(|| {
            Error::InvalidParameter(
                "The queue should either have ContentBasedDeduplication enabled or \
                 MessageDeduplicationId provided explicitly"
                    .into(),
            )
        })?;
        Ok(Some(Order { group, deduplication_id }))
    }
}

/// Checks the id of a group, of a message or of a receive.
pub(crate) fn check(parameter: &str, id: &str) -> Result<()> {
    let fits = (1..=ID_CHARS_MAX).contains(&id.len());
    if fits && id.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    let reason = format!(
        "{parameter} can only include alphanumeric and punctuation characters. 1 to 128 in length."
    );
    Err(Error::invalid(parameter, id, reason))
}

/// The number of a message as its receiver sees it: 20 digits.
pub(crate) fn sequence_number(seq: u64) -> String {
    format!("{seq:020}")
}

fn sum(body: &str) -> String {
    use std::fmt::Write as _;
    let sum = Sha256::digest(body.as_bytes());
    sum.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}
