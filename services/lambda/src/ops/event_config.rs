//! What becomes of asynchronous events: retries, age, and who is told of their end.

use base::Arn;
use kit::Ctx;
use store::{Dir, Tx};
use wire::Epoch;

use crate::api::concurrency::ListInput;
use crate::api::event_config::{
    Destination, DestinationConfig, EventConfigInput, EventConfigOutput, ListEventConfigsOutput,
};
use crate::api::{FunctionInput, Nothing};
use crate::data::{EventConfig, Function, Target};
use crate::error::Error;
use crate::functions::Lambda;
use crate::ops::{existing_version, page_len, place, target};
use crate::rules::{self, within};

const RETRIES: (i64, i64) = (0, 2);
const AGE_SECS: (i64, i64) = (60, 21_600);

pub(crate) async fn put(ctx: &Ctx, input: EventConfigInput) -> Result<EventConfigOutput, Error> {
    write(ctx, input, false).await
}

pub(crate) async fn update(ctx: &Ctx, input: EventConfigInput) -> Result<EventConfigOutput, Error> {
    write(ctx, input, true).await
}

async fn write(
    ctx: &Ctx,
    input: EventConfigInput,
    update: bool,
) -> Result<EventConfigOutput, Error> {
    let target = &target(ctx, &input.function_name, input.qualifier.as_deref())?;
    let given = &Given::read(ctx, target, input)?;
    let lambda = Lambda::of(ctx);
    let config = ctx.store().transact(&ctx.account, |tx| async move {
        exists(&tx, target).await?;
        given.check_functions(&tx).await?;
        let key = target.place.event_configs_key().str(&target.qualifier_text());
        let before: Option<EventConfig> = tx.get_record(&key).await?;
        if update && before.is_none() {
            return Err(missing(target));
        }
        let config = given.put_into(before.filter(|_| update), arn(target), ctx.now());
        tx.put_record(key, &config)?;
        lambda.forget_on_commit(&tx, &target.place);
        Ok(config)
    });
    Ok(output(config.await?))
}

pub(crate) async fn get(ctx: &Ctx, input: FunctionInput) -> Result<EventConfigOutput, Error> {
    let target = target(ctx, &input.function_name, input.qualifier.as_deref())?;
    let key = target.place.event_configs_key().str(&target.qualifier_text());
    let found = ctx.store().get_record(&key).await?;
    Ok(output(found.ok_or_else(|| missing(&target))?))
}

pub(crate) async fn delete(ctx: &Ctx, input: FunctionInput) -> Result<Nothing, Error> {
    let target = &target(ctx, &input.function_name, input.qualifier.as_deref())?;
    let lambda = Lambda::of(ctx);
    ctx.store()
        .transact(&ctx.account, |tx| async move {
            let key = target.place.event_configs_key().str(&target.qualifier_text());
            if tx.get(&key).await?.is_none() {
                return Err(missing(target));
            }
            tx.delete(key);
            lambda.forget_on_commit(&tx, &target.place);
            Ok(Nothing {})
        })
        .await
}

pub(crate) async fn list(ctx: &Ctx, input: ListInput) -> Result<ListEventConfigsOutput, Error> {
    let place = place(ctx, &input.function_name)?;
    let limit = page_len(input.max_items)?;
    if ctx.store().get_record::<Function>(&place.key()).await?.is_none() {
        return Err(Error::NoEventFunction);
    }
    let all = place.event_configs_key();
    // The marker is the last version or alias of the page before.
    let start = input.marker.map_or_else(|| all.clone(), |last| all.clone().str(&last).successor());
    let found = ctx.store().scan(all.prefix().from(start), Dir::Forward, limit + 1).await?;
    let more = found.len() > limit;
    let (mut configs, mut next_marker) = (Vec::new(), None);
    for (key, value) in found.into_iter().take(limit) {
        let config = output(store::decode(&key, &value)?);
        next_marker = config.function_arn.rsplit(':').next().filter(|_| more).map(str::to_owned);
        configs.push(config);
    }
    Ok(ListEventConfigsOutput { function_event_invoke_configs: configs, next_marker })
}

/// What a request sets, checked.
struct Given {
    retries: Option<u32>,
    age_secs: Option<u32>,
    /// Outside: whether the member is there; inside: whether it names a destination.
    on_success: Option<Option<Arn>>,
    on_failure: Option<Option<Arn>>,
}

impl Given {
    fn read(ctx: &Ctx, target: &Target, input: EventConfigInput) -> Result<Given, Error> {
        let (retries, age) = (input.maximum_retry_attempts, input.maximum_event_age_in_seconds);
        if retries.is_none() && age.is_none() && input.destination_config.is_none() {
            return Err(Error::parameter(
                "You must specify at least one of error handling or destination setting.",
            ));
        }
        let named = input.destination_config.unwrap_or_default();
        let read = |which: &str, destination: Option<Destination>| {
            destination.map(|one| self::destination(ctx, target, which, one)).transpose()
        };
        Ok(Given {
            retries: retries.map(|n| within("maximumRetryAttempts", n, RETRIES)).transpose()?,
            age_secs: age.map(|n| within("maximumEventAgeInSeconds", n, AGE_SECS)).transpose()?,
            on_success: read("onSuccess", named.on_success)?,
            on_failure: read("onFailure", named.on_failure)?,
        })
    }

    /// Functions that are to be told must be there.
    async fn check_functions(&self, tx: &Tx) -> Result<(), Error> {
        for arn in [&self.on_success, &self.on_failure].into_iter().flatten().flatten() {
            if arn.service == "lambda" {
                let found = Target::of(arn);
                let exists = match &found {
                    Ok(target) => existing_version(tx, target).await.is_ok(),
                    Err(_) => false,
                };
                if !exists {
                    let text = format!("The destination ARN {arn} is invalid.");
                    return Err(Error::parameter(text));
                }
            }
        }
        Ok(())
    }

    fn put_into(&self, before: Option<EventConfig>, target: Arn, now: base::Time) -> EventConfig {
        let (retries, age, success, failure) = match before {
            Some(old) => (old.retries, old.age_secs, old.on_success, old.on_failure),
            None => (None, None, None, None),
        };
        EventConfig {
            target,
            retries: self.retries.or(retries),
            age_secs: self.age_secs.or(age),
            on_success: self.on_success.clone().unwrap_or(success),
            on_failure: self.on_failure.clone().unwrap_or(failure),
            modified: now,
        }
    }
}

/// A destination, which must be one that takes events.
fn destination(
    ctx: &Ctx,
    target: &Target,
    which: &str,
    given: Destination,
) -> Result<Option<Arn>, Error> {
    let Some(text) = given.destination.filter(|text| !text.is_empty()) else { return Ok(None) };
    let arn = destination_arn(&format!("destinationConfig.{which}.destination"), &text)?;
    if Target::of(&arn).is_ok_and(|other| other.place == target.place) {
        let text = "You can't specify the function as a destination for itself.";
        return Err(Error::parameter(text));
    }
    if !ctx.kit.targets.takes(&arn) {
        let text = format!("lambda: {} as a destination", arn.service);
        return Err(kit::Error::not_served(text).into());
    }
    if arn.service == "sqs" && arn.resource.ends_with(".fifo") {
        return Err(Error::parameter(format!("The destination ARN {arn} is invalid.")));
    }
    rules::parse_arn(&text).map(Some)
}

/// The ARN of a destination.
pub(crate) fn destination_arn(member: &str, text: &str) -> Result<Arn, Error> {
    text.parse::<Arn>().map_err(|_| {
        let must = concat!(
            r"Member must satisfy regular expression pattern: $|kafka://([^.]([a-zA-Z0-9\-_.]{0,248",
            r"}))|arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?",
            r"-[a-z]+-\d{1})?:(\d{12})?:(.*)",
        );
        Error::constraint(member, text, must)
    })
}

async fn exists(tx: &Tx, target: &Target) -> Result<(), Error> {
    match existing_version(tx, target).await {
        Err(Error::NoFunction(_) | Error::NoAlias(_)) => Err(Error::NoEventFunction),
        other => other.map(drop),
    }
}

/// The function itself is its `$LATEST` here.
fn arn(target: &Target) -> Arn {
    target.place.qualified(&target.qualifier_text())
}

fn missing(target: &Target) -> Error {
    Error::NoEventConfig(Box::new(arn(target)))
}

fn output(config: EventConfig) -> EventConfigOutput {
    let destination = |arn: Option<Arn>| Some(Destination { destination: arn.map(String::from) });
    EventConfigOutput {
        last_modified: Epoch(config.modified),
        function_arn: config.target.to_string(),
        maximum_retry_attempts: config.retries,
        maximum_event_age_in_seconds: config.age_secs,
        destination_config: DestinationConfig {
            on_success: destination(config.on_success),
            on_failure: destination(config.on_failure),
        },
    }
}
