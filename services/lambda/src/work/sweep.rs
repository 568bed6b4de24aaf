//! Deletes what no function needs any more: trees of unpacked code, and versions of layers that
//! were deleted while functions still used them.

use std::collections::HashSet;

use base::Arn;
use kit::Ctx;
use store::{Dir, Key, Tx};

use crate::code::Sha;
use crate::data::{self, Function, LayerVersion};
use crate::error::Error;
use crate::functions::Lambda;

pub(crate) async fn tick(ctx: &Ctx) -> Result<(), Error> {
    let swept = ctx.store().transact(&ctx.account, |tx| async move {
        let (mut code, used) = used(ctx, &tx).await?;
        let all = data::all_layer_versions_key(&ctx.account).prefix();
        for (key, value) in tx.scan(all, Dir::Forward, usize::MAX).await? {
            let version: LayerVersion = store::decode(&key, &value)?;
            if used.contains(&key) {
                code.insert(version.code.sha256);
            } else if version.deleted {
                version.code.zip.unlink(&tx, &key).await?;
                tx.delete(key);
            }
        }
        Ok::<_, Error>(code)
    });
    let trees = Lambda::of(ctx).trees.sweep(&swept.await?, ctx.now()).await;
    Ok(trees.map_err(kit::Error::internal)?)
}

/// The code of all functions and versions, and the versions of layers they use.
async fn used(ctx: &Ctx, tx: &Tx) -> Result<(HashSet<Sha>, HashSet<Key>), Error> {
    let (mut code, mut layers) = (HashSet::new(), HashSet::new());
    for all in [data::all_functions_key(&ctx.account), data::all_versions_key(&ctx.account)] {
        for (key, value) in tx.scan(all.prefix(), Dir::Forward, usize::MAX).await? {
            let function: Function = store::decode(&key, &value)?;
            code.insert(function.code.sha256);
            layers.extend(function.config.layers.iter().filter_map(|used| key_of(ctx, &used.arn)));
        }
    }
    Ok((code, layers))
}

fn key_of(ctx: &Ctx, arn: &Arn) -> Option<Key> {
    let (name, number) = crate::rules::layer::version(arn)?;
    let region = arn.region.parse().ok()?;
    Some(data::layer_versions_key(&ctx.account, &region).str(name).u64(number))
}
