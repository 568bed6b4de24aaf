//! Operations, one file per noun.

pub(crate) mod account;
pub(crate) mod function;
pub(crate) mod invocation;
pub(crate) mod mapping;
pub(crate) mod permission;
pub(crate) mod tag;

use base::Arn;
use kit::Ctx;
use store::Tx;

use crate::data::{Function, Place};
use crate::error::Error;
use crate::rules;

/// Most entries of a page, whatever is asked for.
const PAGE_LEN_MAX: u32 = 50;

/// The function a request means.
fn place(ctx: &Ctx, name: &str, qualifier: Option<&str>) -> Result<Place, Error> {
    rules::place(&ctx.account, &ctx.region, name, qualifier)
}

/// The function's record, within a transaction that goes on to use it.
async fn existing(tx: &Tx, place: &Place) -> Result<Function, Error> {
    let found = tx.get_record(&place.key()).await?;
    found.ok_or_else(|| place.missing())
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

/// The function an operation touches, for authorization. A name that is none is refused by the
/// operation itself.
pub(crate) fn touched(ctx: &Ctx, name: &str) -> Vec<Arn> {
    vec![
        place(ctx, name, None)
            .map_or_else(|_| ctx.arn("lambda", format!("function:{name}")), |place| place.arn()),
    ]
}
