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

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes once written are read for ever, and the same value is still written as the same bytes.
    fn check<R: Record + PartialEq + std::fmt::Debug>(record: &R, stored: &[u8]) {
        let key = Key::from_bytes("fixture");
        assert_eq!(store::decode::<R>(&key, stored).unwrap(), *record);
        assert_eq!(store::encode(record).unwrap(), stored);
    }

    #[test]
    fn records_are_read_as_they_were_written() {
        let due = Time::from_millis(1_793_491_200_000);
        let target = Target {
            id: "t".into(),
            arn: "arn:aws:sqs:us-east-1:000000000000:q.fifo".parse().unwrap(),
            role_arn: None,
            input: Some("{}".into()),
            group_id: Some("g".into()),
        };
        let rule = Rule {
            name: "daily".into(),
            description: Some("noon".into()),
            role_arn: None,
            schedule_expression: "cron(0 12 * * ? *)".into(),
            enabled: true,
            anchor: due,
            ticket: Some(Ticket { due, number: 7 }),
            targets: vec![target],
        };
        check(&rule, include_bytes!("../tests/fixtures/rule.v1"));
        let firing =
            Firing { rule: "arn:aws:events:us-east-1:000000000000:rule/daily".parse().unwrap() };
        check(&firing, include_bytes!("../tests/fixtures/firing.v1"));
    }
}
