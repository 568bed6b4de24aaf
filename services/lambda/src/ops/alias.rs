//! Aliases: names for versions, which may be given to others.

use std::collections::BTreeMap;

use kit::Ctx;
use store::{Dir, Tx};

use crate::api::Nothing;
use crate::api::alias::{
    AliasConfiguration, AliasInput, CreateAliasInput, ListAliasesInput, ListAliasesOutput,
    RoutingConfig, UpdateAliasInput,
};
use crate::data::{Alias, Function, Place, Version};
use crate::error::Error;
use crate::functions::Lambda;
use crate::ops::{delete_all, existing, page_len, place, url};
use crate::rules::{self, name};

/// Versions an alias stands for beside its own.
const WEIGHTS_MAX: usize = 1;

pub(crate) async fn create(
    ctx: &Ctx,
    input: CreateAliasInput,
) -> Result<AliasConfiguration, Error> {
    let place = &place(ctx, &input.function_name)?;
    name::check_alias(&input.name)?;
    let alias = &mut Alias {
        version: name::version("functionVersion", &input.function_version)?,
        description: input.description.unwrap_or_default(),
        weights: BTreeMap::new(),
        revision: ctx.kit.uuid(),
        name: input.name,
    };
    rules::check_description(&alias.description)?;
    if let Some(routing) = &input.routing_config {
        alias.weights = weights(routing, alias.version)?;
    }
    let alias = &*alias;
    ctx.store()
        .transact(&ctx.account, |tx| async move {
            existing(&tx, place).await?;
            check_versions(&tx, place, alias).await?;
            let key = place.aliases_key().str(&alias.name);
            if tx.get(&key).await?.is_some() {
                return Err(Error::AliasExists(Box::new(place.qualified(&alias.name))));
            }
            tx.put_record(key, alias)?;
            Ok(())
        })
        .await?;
    Ok(configuration(place, alias.clone()))
}

pub(crate) async fn get(ctx: &Ctx, input: AliasInput) -> Result<AliasConfiguration, Error> {
    let place = place(ctx, &input.function_name)?;
    name::check_alias(&input.name)?;
    if ctx.store().get(&place.key()).await?.is_none() {
        return Err(place.missing());
    }
    let found = ctx.store().get_record(&place.aliases_key().str(&input.name)).await?;
    let alias = found.ok_or_else(|| Error::NoAlias(Box::new(place.qualified(&input.name))))?;
    Ok(configuration(&place, alias))
}

pub(crate) async fn update(
    ctx: &Ctx,
    input: UpdateAliasInput,
) -> Result<AliasConfiguration, Error> {
    let place = &place(ctx, &input.function_name)?;
    name::check_alias(&input.name)?;
    if let Some(description) = &input.description {
        rules::check_description(description)?;
    }
    let version = input.function_version.as_deref();
    let version = version.map(|text| name::version("functionVersion", text)).transpose()?;
    let (input, lambda) = (&input, Lambda::of(ctx));
    let alias = ctx.store().transact(&ctx.account, |tx| async move {
        existing(&tx, place).await?;
        let key = place.aliases_key().str(&input.name);
        let found: Option<Alias> = tx.get_record(&key).await?;
        let missing = || Error::NoAliasToUpdate(Box::new(place.qualified(&input.name)));
        let mut alias = found.ok_or_else(missing)?;
        if input.revision_id.as_ref().is_some_and(|given| *given != alias.revision) {
            return Err(Error::Revision("GetFunction/GetAlias"));
        }
        alias.version = version.unwrap_or(alias.version);
        if let Some(description) = &input.description {
            alias.description.clone_from(description);
        }
        let before = RoutingConfig::from(&alias);
        alias.weights = weights(input.routing_config.as_ref().unwrap_or(&before), alias.version)?;
        check_versions(&tx, place, &alias).await?;
        alias.revision = ctx.kit.uuid();
        tx.put_record(key, &alias)?;
        lambda.forget_on_commit(&tx, place);
        Ok(alias)
    });
    Ok(configuration(place, alias.await?))
}

pub(crate) async fn delete(ctx: &Ctx, input: AliasInput) -> Result<Nothing, Error> {
    let place = &place(ctx, &input.function_name)?;
    name::check_alias(&input.name)?;
    let (name, lambda) = (&input.name, Lambda::of(ctx));
    ctx.store()
        .transact(&ctx.account, |tx| async move {
            existing(&tx, place).await?;
            // As on AWS, one that is not there is deleted already.
            tx.delete(place.aliases_key().str(name));
            url::remove(&tx, &place.urls_key().str(name)).await?;
            for prefix in place.belongings_of(name) {
                delete_all(&tx, &prefix).await?;
            }
            lambda.forget_on_commit(&tx, place);
            Ok(Nothing {})
        })
        .await
}

pub(crate) async fn list(ctx: &Ctx, input: ListAliasesInput) -> Result<ListAliasesOutput, Error> {
    let place = place(ctx, &input.function_name)?;
    let limit = page_len(input.max_items)?;
    let version = input.function_version.as_deref();
    let version = version.map(|text| name::version("functionVersion", text)).transpose()?;
    if ctx.store().get_record::<Function>(&place.key()).await?.is_none() {
        return Err(place.missing());
    }
    let all = place.aliases_key();
    // The marker is the last name of the page before.
    let start = input.marker.map_or_else(|| all.clone(), |last| all.clone().str(&last).successor());
    let mut aliases = Vec::new();
    for (key, value) in ctx.store().scan(all.prefix().from(start), Dir::Forward, usize::MAX).await?
    {
        let alias: Alias = store::decode(&key, &value)?;
        if version.is_none_or(|version| version == alias.version) {
            aliases.push(configuration(&place, alias));
        }
        if aliases.len() > limit {
            break;
        }
    }
    let more = aliases.len() > limit;
    aliases.truncate(limit);
    let next_marker = aliases.last().filter(|_| more).map(|last| last.name.clone());
    Ok(ListAliasesOutput { aliases, next_marker })
}

/// The weights of a routing configuration, which must be another version's.
fn weights(routing: &RoutingConfig, own: Version) -> Result<BTreeMap<Version, f64>, Error> {
    let given = routing.additional_version_weights.iter().flatten();
    if given.clone().count() > WEIGHTS_MAX {
        return Err(Error::parameter(
            "Number of items in AdditionalVersionWeights cannot be greater than 1",
        ));
    }
    let mut weights = BTreeMap::new();
    for (version, weight) in given {
        let wrong = |what: &str| {
            let (value, member) =
                (format!("{{{version}={weight}}}"), "routingConfig.additionalVersionWeights");
            Error::constraint(member, value, what)
        };
        if !(0.0..=1.0).contains(weight) {
            return Err(wrong(
                "Map value must satisfy constraint: [Member must have value less than or equal \
                 to 1.0, Member must have value greater than or equal to 0.0, Member must not be \
                 null]",
            ));
        }
        let other = match version.parse() {
            Ok(Version::Number(number)) if number > 0 => Version::Number(number),
            _ => {
                return Err(wrong(
                    "Map keys must satisfy constraint: [Member must have length less than or \
                     equal to 1024, Member must have length greater than or equal to 1, Member \
                     must satisfy regular expression pattern: [0-9]+, Member must not be null]",
                ));
            }
        };
        if own == Version::Latest {
            return Err(Error::parameter(
                "$LATEST is not supported for an alias pointing to more than 1 version",
            ));
        }
        if other == own {
            return Err(Error::parameter(format!(
                "Invalid function version {own}. Function version {own} is already included in \
                 routing configuration."
            )));
        }
        weights.insert(other, *weight);
    }
    Ok(weights)
}

/// All versions an alias stands for must be there.
async fn check_versions(tx: &Tx, place: &Place, alias: &Alias) -> Result<(), Error> {
    for version in std::iter::once(&alias.version).chain(alias.weights.keys()) {
        if tx.get(&place.version_key(*version)).await?.is_none() {
            return Err(Error::NoFunction(Box::new(place.qualified(&version.to_string()))));
        }
    }
    Ok(())
}

impl From<&Alias> for RoutingConfig {
    fn from(alias: &Alias) -> RoutingConfig {
        let weights = alias.weights.iter();
        let weights = weights.map(|(version, weight)| (version.to_string(), *weight)).collect();
        RoutingConfig { additional_version_weights: Some(weights) }
    }
}

fn configuration(place: &Place, alias: Alias) -> AliasConfiguration {
    let routing_config = Some(RoutingConfig::from(&alias)).filter(|_| !alias.weights.is_empty());
    AliasConfiguration {
        alias_arn: place.qualified(&alias.name).to_string(),
        name: alias.name,
        function_version: alias.version.to_string(),
        description: alias.description,
        routing_config,
        revision_id: alias.revision,
    }
}
