//! UpdateTimeToLive and DescribeTimeToLive.

use std::sync::Arc;
use std::time::Duration;

use kit::Ctx;

use crate::api::expiry::{
    DescribeTimeToLiveOutput, TimeToLiveDescription, TimeToLiveSpecification,
    UpdateTimeToLiveInput, UpdateTimeToLiveOutput,
};
use crate::api::table::TableNameInput;
use crate::data::expiry::{Expiry, Filled, Index, index_key};
use crate::data::{self, Table, Tables};
use crate::error::Error;
use crate::ops::table::{existing, find};
use crate::rules::{self, Violations};

/// How long after one change of a table's time to live the next is refused.
const BETWEEN_CHANGES: Duration = Duration::from_secs(60 * 60);
const ATTRIBUTE_CHARS_MAX: usize = 255;

pub(crate) async fn update(
    ctx: &Ctx,
    input: UpdateTimeToLiveInput,
) -> Result<UpdateTimeToLiveOutput, Error> {
    let (enabled, attribute) = check(&input)?;
    let found = find(ctx, input.table_name.as_ref()).await?;
    let key = data::table_key(&ctx.account, &ctx.region, &found.name);
    let (key, name, attribute) = (&key, &found.name, &attribute);
    ctx.store()
        .transact(&ctx.account, |tx| async move {
            let mut table = existing(tx.get_record(key).await?, name)?;
            check_change(ctx, &table, enabled, attribute)?;
            table.expiry = enabled
                .then(|| Expiry { attribute: attribute.clone(), index: ctx.kit.next_number() });
            table.expiry_changed = Some(ctx.now());
            if let Some(expiry) = &table.expiry {
                let index = Index {
                    region: ctx.region.clone(),
                    table: table.name.clone(),
                    number: table.number,
                    filled: Filled::Nothing,
                };
                tx.put_record(index_key(&ctx.account, expiry.index), &index)?;
            }
            ctx.state::<Arc<Tables>>().changed(&tx, key);
            Ok::<_, Error>(tx.put_record(key.clone(), &table)?)
        })
        .await?;
    Ok(UpdateTimeToLiveOutput {
        time_to_live_specification: TimeToLiveSpecification {
            enabled: Some(enabled),
            attribute_name: Some(attribute.clone()),
        },
    })
}

/// The constraints of the API's model.
fn check(input: &UpdateTimeToLiveInput) -> Result<(bool, String), Error> {
    let given = rules::own_table_name(input.table_name.as_ref())?;
    let mut violations = Violations::default();
    violations.name("tableName", Some(given));
    violations.required("timeToLiveSpecification", input.time_to_live_specification.is_some());
    let mut asked = (false, String::new());
    if let Some(wanted) = &input.time_to_live_specification {
        violations.required("timeToLiveSpecification.enabled", wanted.enabled.is_some());
        let at = "timeToLiveSpecification.attributeName";
        violations.required(at, wanted.attribute_name.is_some());
        let attribute = wanted.attribute_name.clone().unwrap_or_default();
        violations.length(at, wanted.attribute_name.as_deref(), 1, ATTRIBUTE_CHARS_MAX);
        asked = (wanted.enabled == Some(true), attribute);
    }
    violations.finish()?;
    Ok(asked)
}

fn check_change(ctx: &Ctx, table: &Table, enabled: bool, attribute: &str) -> Result<(), Error> {
    match &table.expiry {
        Some(expiry) if expiry.attribute != attribute => {
            return Err(Error::validation(format!(
                "TimeToLive is active on a different AttributeName: current AttributeName is {}",
                expiry.attribute
            )));
        }
        Some(_) if enabled => return Err(Error::validation("TimeToLive is already enabled")),
        None if !enabled => return Err(Error::validation("TimeToLive is already disabled")),
        _ => {}
    }
    if table.expiry_changed.is_some_and(|at| ctx.now().since(at) < BETWEEN_CHANGES) {
        return Err(Error::validation(
            "Time to live has been modified multiple times within a fixed interval",
        ));
    }
    Ok(())
}

pub(crate) async fn describe(
    ctx: &Ctx,
    input: TableNameInput,
) -> Result<DescribeTimeToLiveOutput, Error> {
    let table = find(ctx, input.table_name.as_ref()).await?;
    let time_to_live_description = description(ctx, &table).await?;
    Ok(DescribeTimeToLiveOutput { time_to_live_description })
}

/// A table's time to live, which is being enabled until all items are in its index.
async fn description(ctx: &Ctx, table: &Table) -> Result<TimeToLiveDescription, Error> {
    let Some(expiry) = &table.expiry else {
        return Ok(TimeToLiveDescription { time_to_live_status: "DISABLED", attribute_name: None });
    };
    let index: Option<Index> =
        ctx.store().get_record(&index_key(&ctx.account, expiry.index)).await?;
    let is_full = index.is_some_and(|index| index.filled == Filled::Everything);
    Ok(TimeToLiveDescription {
        time_to_live_status: if is_full { "ENABLED" } else { "ENABLING" },
        attribute_name: Some(expiry.attribute.clone()),
    })
}
