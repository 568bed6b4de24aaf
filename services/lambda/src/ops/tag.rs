//! Tags of functions and event source mappings.

use std::collections::BTreeMap;

use base::Arn;
use kit::Ctx;
use store::Key;

use crate::api::{ListTagsInput, ListTagsOutput, Nothing, TagInput, UntagInput};
use crate::data::{Function, Mapping, Place, Target};
use crate::error::Error;
use crate::ops::{existing, mapping, target};

const TAGS_MAX: usize = 50;
const KEY_CHARS_MAX: usize = 128;
const VALUE_CHARS_MAX: usize = 256;

type Tags = BTreeMap<String, String>;

pub(crate) async fn list(ctx: &Ctx, input: ListTagsInput) -> Result<ListTagsOutput, Error> {
    let tags = match owner(ctx, &input.resource)? {
        Owner::Function(place) => {
            let found: Option<Function> = ctx.store().get_record(&place.key()).await?;
            found.ok_or_else(|| place.missing())?.tags
        }
        Owner::Mapping(key) => {
            let found: Option<Mapping> = ctx.store().get_record(&key).await?;
            found.ok_or(Error::NoResource)?.tags
        }
    };
    Ok(ListTagsOutput { tags })
}

pub(crate) async fn add(ctx: &Ctx, input: TagInput) -> Result<Nothing, Error> {
    change(ctx, &input.resource, |tags| tags.extend(input.tags.clone())).await
}

pub(crate) async fn remove(ctx: &Ctx, input: UntagInput) -> Result<Nothing, Error> {
    change(ctx, &input.resource, |tags| tags.retain(|key, _| !input.tag_keys.contains(key))).await
}

async fn change(ctx: &Ctx, resource: &str, change: impl Fn(&mut Tags)) -> Result<Nothing, Error> {
    let (owner, change) = (&owner(ctx, resource)?, &change);
    ctx.store()
        .transact(&ctx.account, |tx| async move {
            match owner {
                Owner::Function(place) => {
                    let mut function = existing(&tx, place).await?;
                    change(&mut function.tags);
                    check(&function.tags)?;
                    tx.put_record(place.key(), &function)?;
                }
                Owner::Mapping(key) => {
                    let mut mapping = mapping::stored(&tx, key).await?;
                    change(&mut mapping.tags);
                    check(&mapping.tags)?;
                    tx.put_record(key.clone(), &mapping)?;
                }
            }
            Ok(Nothing {})
        })
        .await
}

/// What an operation touches.
pub(crate) fn touched(ctx: &Ctx, resource: &str) -> Vec<Arn> {
    match mapping_id(resource) {
        Some(uuid) => mapping::touched(ctx, uuid),
        None => super::touched(ctx, resource, None),
    }
}

/// What can have tags.
enum Owner {
    Function(Place),
    Mapping(Key),
}

/// What has the tags: of a function, versions and aliases have none.
fn owner(ctx: &Ctx, resource: &str) -> Result<Owner, Error> {
    if let Some(uuid) = mapping_id(resource) {
        let here = mapping::touched(ctx, uuid).iter().any(|arn| arn.to_string() == resource);
        return if here {
            Ok(Owner::Mapping(mapping::key(ctx, uuid)))
        } else {
            Err(Error::NoResource)
        };
    }
    match target(ctx, resource, None)? {
        Target { place, qualifier: None } => Ok(Owner::Function(place)),
        _ => Err(Error::parameter(
            "Tags on function aliases and versions are not supported. Please specify a function \
             ARN.",
        )),
    }
}

/// The UUID in the ARN of a mapping.
fn mapping_id(resource: &str) -> Option<&str> {
    resource.strip_prefix("arn:")?.split_once(":event-source-mapping:").map(|(_, uuid)| uuid)
}

/// Refuses tags beyond the limits all AWS services share.
pub(crate) fn check(tags: &BTreeMap<String, String>) -> Result<(), Error> {
    if tags.len() > TAGS_MAX {
        return Err(Error::parameter(format!("At most {TAGS_MAX} tags are allowed.")));
    }
    for (key, value) in tags {
        if key.is_empty() || key.chars().count() > KEY_CHARS_MAX {
            return Err(Error::parameter("A tag's key has 1 to 128 characters."));
        }
        if value.chars().count() > VALUE_CHARS_MAX {
            return Err(Error::parameter("A tag's value has at most 256 characters."));
        }
    }
    Ok(())
}
