//! What is stored: one record per rule, its targets inside, because a firing needs both.

use base::{Arn, Region, Time};
use delivery::Ticket;
use serde::{Deserialize, Serialize};
use store::{Key, Record, Space};

/// Key kinds of this service. Numbers are never reused.
const RULE: u8 = 1;

/// A scheduled rule. Key: region, name.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) role_arn: Option<String>,
    pub(crate) schedule_expression: String,
    pub(crate) enabled: bool,
    /// Where the grid of a rate begins.
    pub(crate) anchor: Time,
    /// The entry in the delivery line that will fire the rule; none while it is disabled, or when
    /// its schedule has come to its end.
    pub(crate) ticket: Option<Ticket>,
    pub(crate) targets: Vec<Target>,
}

impl Record for Rule {
    const VERSION: u8 = 1;
}

/// Where a rule's events go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Target {
    pub(crate) id: String,
    pub(crate) arn: Arn,
    pub(crate) role_arn: Option<String>,
    /// Sent in place of the scheduled event.
    pub(crate) input: Option<String>,
    pub(crate) group_id: Option<String>,
}

/// The due work of a rule. The line's entry holds the time.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Firing {
    pub(crate) rule: Arn,
}

impl Record for Firing {
    const VERSION: u8 = 1;
}

/// The key of the rule an ARN (`…:rule/name`) names.
pub(crate) fn rule_key(rule: &Arn) -> Result<Key, base::InvalidName> {
    let name = rule.resource_after("rule/").unwrap_or(&rule.resource);
    Ok(rules_key(&rule.account_id()?, &rule.region.parse()?).str(name))
}

/// The prefix of all rules of an account and region.
pub(crate) fn rules_key(account: &base::AccountId, region: &Region) -> Key {
    Space::new(account, "events").key(RULE).str(region.as_str())
}
