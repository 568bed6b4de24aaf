//! Operations, one file per noun.

pub(crate) mod rule;
pub(crate) mod target;

use base::Arn;
use kit::Ctx;
use store::Tx;

use crate::data::{self, Rule};
use crate::error::Error;

/// The name of the one bus there is.
pub(crate) const BUS: &str = "default";
/// Most entries of a page.
const PAGE_LEN_MAX: u32 = 100;

/// The ARN of a rule of the default bus.
pub(crate) fn rule_arn(ctx: &Ctx, name: &str) -> Arn {
    ctx.arn("events", format!("rule/{name}"))
}

/// Only the default bus exists.
fn check_bus(given: Option<&str>) -> Result<(), Error> {
    let name = given.map_or(BUS, |given| given.rsplit_once("event-bus/").map_or(given, |(_, n)| n));
    if name == BUS { Ok(()) } else { Err(Error::NoBus(name.to_owned())) }
}

/// How many entries a page has, from the `Limit` asked for.
fn page_len(limit: Option<u32>) -> Result<usize, Error> {
    let limit = limit.unwrap_or(PAGE_LEN_MAX);
    let must = match limit {
        0 => "Member must have value greater than or equal to 1",
        1..=PAGE_LEN_MAX => return Ok(limit as usize),
        _ => "Member must have value less than or equal to 100",
    };
    Err(Error::constraint("limit", &limit.to_string(), must))
}

/// The rule as it is now, or the error that there is none.
async fn read(ctx: &Ctx, name: &str) -> Result<Rule, Error> {
    let found = ctx.store().get_record(&data::rule_key(&rule_arn(ctx, name))?).await?;
    found.ok_or_else(|| Error::NoRule(name.to_owned()))
}

/// The same within a transaction that goes on to change it.
async fn existing(tx: &Tx, arn: &Arn) -> Result<Rule, Error> {
    let found = tx.get_record(&data::rule_key(arn)?).await?;
    found.ok_or_else(|| Error::NoRule(arn.resource.trim_start_matches("rule/").to_owned()))
}
