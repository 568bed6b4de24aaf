//! Tags of functions.

use std::collections::BTreeMap;

use kit::Ctx;

use crate::api::{ListTagsInput, ListTagsOutput, Nothing, TagInput, UntagInput};
use crate::data::{Function, Place, Target};
use crate::error::Error;
use crate::ops::{existing, target};

const TAGS_MAX: usize = 50;
const KEY_CHARS_MAX: usize = 128;
const VALUE_CHARS_MAX: usize = 256;

pub(crate) async fn list(ctx: &Ctx, input: ListTagsInput) -> Result<ListTagsOutput, Error> {
    let place = owner(ctx, &input.resource)?;
    let found: Option<Function> = ctx.store().get_record(&place.key()).await?;
    let function = found.ok_or_else(|| place.missing())?;
    Ok(ListTagsOutput { tags: function.tags })
}

pub(crate) async fn add(ctx: &Ctx, input: TagInput) -> Result<Nothing, Error> {
    change(ctx, &input.resource, |tags| tags.extend(input.tags.clone())).await
}

pub(crate) async fn remove(ctx: &Ctx, input: UntagInput) -> Result<Nothing, Error> {
    change(ctx, &input.resource, |tags| tags.retain(|key, _| !input.tag_keys.contains(key))).await
}

async fn change(
    ctx: &Ctx,
    resource: &str,
    change: impl Fn(&mut BTreeMap<String, String>),
) -> Result<Nothing, Error> {
    let (place, change) = (&owner(ctx, resource)?, &change);
    ctx.store()
        .transact(&ctx.account, |tx| async move {
            let mut function = existing(&tx, place).await?;
            change(&mut function.tags);
            check(&function.tags)?;
            tx.put_record(place.key(), &function)?;
            Ok(Nothing {})
        })
        .await
}

/// The function that has the tags: its versions and aliases have none.
fn owner(ctx: &Ctx, resource: &str) -> Result<Place, Error> {
    match target(ctx, resource, None)? {
        Target { place, qualifier: None } => Ok(place),
        _ => Err(Error::parameter(
            "Tags on function aliases and versions are not supported. Please specify a function \
             ARN.",
        )),
    }
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
