//! Reserved concurrency: how many invocations of a function may run at once, and always can.

use std::collections::BTreeMap;

use kit::Ctx;
use store::{Dir, Key, Tx};

use crate::api::Nothing;
use crate::api::concurrency::{Concurrency, NameInput, PutConcurrencyInput};
use crate::data::{self, Place, Provisioned, Reserved, Target};
use crate::error::Error;
use crate::functions::Lambda;
use crate::ops::{existing, place, target};
use crate::usage::{ACCOUNT_MAX, UNRESERVED_MIN};

pub(crate) async fn put(ctx: &Ctx, input: PutConcurrencyInput) -> Result<Concurrency, Error> {
    let place = &own(ctx, &input.function_name)?;
    let given = input.reserved_concurrent_executions;
    let Ok(count) = u32::try_from(given) else {
        let must = "Member must have value greater than or equal to 0";
        return Err(Error::constraint("reservedConcurrentExecutions", given, must));
    };
    let lambda = Lambda::of(ctx);
    lambda.concurrency.read(&ctx.kit).await?;
    ctx.store()
        .transact(&ctx.account, |tx| async move {
            existing(&tx, place).await?;
            let mut taken = Taken::read(ctx, &tx).await?;
            let own = taken.functions.entry(place.name.clone()).or_default();
            own.reserved = Some(count);
            let provisioned = own.provisioned;
            if taken.unreserved() < i64::from(UNRESERVED_MIN) {
                return Err(Error::parameter(format!(
                    "Specified ReservedConcurrentExecutions for function decreases account's \
                     UnreservedConcurrentExecution below its minimum value of [{UNRESERVED_MIN}]."
                )));
            }
            if provisioned > count {
                return Err(Error::parameter(format!(
                    " ReservedConcurrentExecutions  {count} should not be lower than function's \
                     total provisioned concurrency [{provisioned}]."
                )));
            }
            let key = place.reserved_key();
            tx.put_record(key, &Reserved { function: place.arn(), count })?;
            lambda.reserve_on_commit(&tx, place, Some(count));
            Ok(Concurrency { reserved_concurrent_executions: Some(count) })
        })
        .await
}

pub(crate) async fn get(ctx: &Ctx, input: NameInput) -> Result<Concurrency, Error> {
    let place = place(ctx, &input.function_name)?;
    if ctx.store().get(&place.key()).await?.is_none() {
        return Err(place.missing());
    }
    let found: Option<Reserved> = ctx.store().get_record(&place.reserved_key()).await?;
    Ok(Concurrency { reserved_concurrent_executions: found.map(|found| found.count) })
}

pub(crate) async fn delete(ctx: &Ctx, input: NameInput) -> Result<Nothing, Error> {
    let (place, lambda) = (&own(ctx, &input.function_name)?, Lambda::of(ctx));
    lambda.concurrency.read(&ctx.kit).await?;
    ctx.store()
        .transact(&ctx.account, |tx| async move {
            existing(&tx, place).await?;
            tx.delete(place.reserved_key());
            lambda.reserve_on_commit(&tx, place, None);
            Ok(Nothing {})
        })
        .await
}

/// A function without a qualifier: only that has reserved concurrency.
fn own(ctx: &Ctx, name: &str) -> Result<Place, Error> {
    match target(ctx, name, None)? {
        Target { place, qualifier: None } => Ok(place),
        _ => Err(Error::parameter(
            "This operation is permitted on Lambda functions only. Aliases and versions do not \
             support this operation. Please specify either a function name or an unqualified \
             function ARN.",
        )),
    }
}

/// What functions have of the account's concurrency for themselves.
#[derive(Default)]
pub(crate) struct Taken {
    pub(crate) functions: BTreeMap<String, Own>,
}

#[derive(Default)]
pub(crate) struct Own {
    pub(crate) reserved: Option<u32>,
    pub(crate) provisioned: u32,
}

impl Taken {
    pub(crate) async fn read(ctx: &Ctx, tx: &Tx) -> Result<Taken, Error> {
        let mut taken = Taken::default();
        let all = data::reserved_key(&ctx.account);
        for (key, value) in scan(tx, &all).await? {
            let found: Reserved = store::decode(&key, &value)?;
            let place = Target::of(&found.function)?.place;
            if place.region == ctx.region {
                taken.functions.entry(place.name).or_default().reserved = Some(found.count);
            }
        }
        let all = data::provisioned_key(&ctx.account);
        for (key, value) in scan(tx, &all).await? {
            let found: Provisioned = store::decode(&key, &value)?;
            let place = Target::of(&found.target)?.place;
            if place.region == ctx.region {
                taken.functions.entry(place.name).or_default().provisioned += found.count;
            }
        }
        Ok(taken)
    }

    /// What is left for all others. Provisioned concurrency is part of what is reserved.
    pub(crate) fn unreserved(&self) -> i64 {
        let own = |own: &Own| i64::from(own.reserved.unwrap_or(own.provisioned));
        i64::from(ACCOUNT_MAX) - self.functions.values().map(own).sum::<i64>()
    }
}

async fn scan(tx: &Tx, prefix: &Key) -> Result<Vec<(Key, bytes::Bytes)>, Error> {
    Ok(tx.scan(prefix.prefix(), Dir::Forward, usize::MAX).await?)
}
