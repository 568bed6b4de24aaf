//! Operations, one file per noun.

pub(crate) mod account;
pub(crate) mod alias;
pub(crate) mod concurrency;
pub(crate) mod configuration;
pub(crate) mod event_config;
pub(crate) mod function;
pub(crate) mod invocation;
pub(crate) mod layer;
pub(crate) mod layer_permission;
pub(crate) mod mapping;
pub(crate) mod permission;
pub(crate) mod provisioned;
pub(crate) mod settings;
pub(crate) mod tag;
pub(crate) mod url;
pub(crate) mod version;

use base::Arn;
use bytes::Bytes;
use kit::Ctx;
use store::{Key, Tx};
use wire::Blob;

use crate::code::ZIP_BYTES_MAX;
use crate::data::{Alias, Code, Function, Place, Qualifier, Target, Version};
use crate::downloads::Package;
use crate::error::Error;
use crate::functions::Lambda;
use crate::rules::name;

/// Most entries of a page, whatever is asked for.
const PAGE_LEN_MAX: u32 = 50;

/// What of which function a request means.
fn target(ctx: &Ctx, name: &str, qualifier: Option<&str>) -> Result<Target, Error> {
    name::target(&ctx.account, &ctx.region, name, qualifier)
}

/// The function a request means that is about no version of it.
fn place(ctx: &Ctx, name: &str) -> Result<Place, Error> {
    let target = target(ctx, name, None)?;
    match target.qualifier {
        None | Some(Qualifier::Version(Version::Latest)) => Ok(target.place),
        Some(_) => Err(target.missing()),
    }
}

impl Place {
    /// The place of a function of this name in the account and region of a request.
    fn here(ctx: &Ctx, name: &str) -> Place {
        Place { account: ctx.account.clone(), region: ctx.region.clone(), name: name.to_owned() }
    }
}

/// The function's record, within a transaction that goes on to use it.
async fn existing(tx: &Tx, place: &Place) -> Result<Function, Error> {
    let found = tx.get_record(&place.key()).await?;
    found.ok_or_else(|| place.missing())
}

/// The record of the version that a target means; of an alias, the version it stands for first.
pub(crate) async fn existing_version(tx: &Tx, target: &Target) -> Result<Function, Error> {
    let version = match &target.qualifier {
        None => Version::Latest,
        Some(Qualifier::Version(version)) => *version,
        Some(Qualifier::Alias(name)) => existing_alias(tx, &target.place, name).await?.version,
    };
    let found = tx.get_record(&target.place.version_key(version)).await?;
    found.ok_or_else(|| target.missing())
}

/// An alias as part of a function's name.
async fn existing_alias(tx: &Tx, place: &Place, name: &str) -> Result<Alias, Error> {
    let found = tx.get_record(&place.aliases_key().str(name)).await?;
    found.ok_or_else(|| Error::NoAlias(Box::new(place.qualified(name))))
}

/// Deletes everything that begins with a key.
async fn delete_all(tx: &Tx, prefix: &Key) -> Result<(), Error> {
    for (key, _) in tx.scan(prefix.prefix(), store::Dir::Forward, usize::MAX).await? {
        tx.delete(key);
    }
    Ok(())
}

/// The zip of an upload.
fn package(ctx: &Ctx, zip: Option<Blob>) -> Result<Bytes, Error> {
    let zip = zip.map(|zip| zip.0).filter(|zip| !zip.is_empty());
    let zip = zip.ok_or_else(|| Error::parameter("Please provide a source for function code."))?;
    if zip.len() > ZIP_BYTES_MAX {
        // AWS counts the request, in which the package stands as base64.
        let max = ZIP_BYTES_MAX.div_ceil(3) * 4;
        return Err(Error::RequestTooLarge { max, operation: ctx.operation });
    }
    Ok(zip)
}

/// An address at which a package can be fetched for a while.
fn offer(ctx: &Ctx, package: Package, code: &Code) -> String {
    let downloads = &Lambda::of(ctx).downloads;
    downloads.offer(&ctx.base_url, &*ctx.kit.random, ctx.now(), package, code)
}

/// How many entries a page has, from the `MaxItems` asked for.
fn page_len(max_items: Option<u32>) -> Result<usize, Error> {
    match max_items {
        Some(0) => {
            let must = "Member must have value greater than or equal to 1";
            Err(Error::constraint("maxItems", 0, must))
        }
        other => Ok(other.unwrap_or(PAGE_LEN_MAX).min(PAGE_LEN_MAX) as usize),
    }
}

/// What an operation touches, for authorization. A name that is none is refused by the operation
/// itself.
pub(crate) fn touched(ctx: &Ctx, name: &str, qualifier: Option<&str>) -> Vec<Arn> {
    let found = target(ctx, name, qualifier).map(|target| target.arn());
    vec![found.unwrap_or_else(|_| ctx.arn("lambda", format!("function:{name}")))]
}
