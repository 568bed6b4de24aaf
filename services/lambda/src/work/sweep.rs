//! Deletes what no function needs any more: trees of unpacked code, code packs, and versions of
//! layers that were deleted while functions still used them.

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
        let Used { mut code, layers, revisions } = used(ctx, &tx).await?;
        let all = data::all_layer_versions_key(&ctx.account).prefix();
        for (key, value) in tx.scan(all, Dir::Forward, usize::MAX).await? {
            let version: LayerVersion = store::decode(&key, &value)?;
            if layers.contains(&key) {
                code.insert(version.code.sha256);
            } else if version.deleted {
                version.code.zip.unlink(&tx, &key).await?;
                tx.delete(key);
            }
        }
        Ok::<_, Error>((code, revisions))
    });
    let (code, revisions) = swept.await?;
    let lambda = Lambda::of(ctx);
    lambda.trees.sweep(&code, ctx.now()).await.map_err(kit::Error::internal)?;
    Ok(lambda.runner.sweep(revisions).await.map_err(kit::Error::internal)?)
}

/// What functions and their versions use.
#[derive(Default)]
struct Used {
    code: HashSet<Sha>,
    /// Versions of layers.
    layers: HashSet<Key>,
    revisions: HashSet<String>,
}

async fn used(ctx: &Ctx, tx: &Tx) -> Result<Used, Error> {
    let mut found = Used::default();
    for all in [data::all_functions_key(&ctx.account), data::all_versions_key(&ctx.account)] {
        for (key, value) in tx.scan(all.prefix(), Dir::Forward, usize::MAX).await? {
            let function: Function = store::decode(&key, &value)?;
            found.code.insert(function.code.sha256);
            let layers = function.config.layers.iter();
            found.layers.extend(layers.filter_map(|used| key_of(ctx, &used.arn)));
            found.revisions.insert(function.revision);
        }
    }
    Ok(found)
}

fn key_of(ctx: &Ctx, arn: &Arn) -> Option<Key> {
    let (name, number) = crate::rules::layer::version(arn)?;
    let region = arn.region.parse().ok()?;
    Some(data::layer_versions_key(&ctx.account, &region).str(name).u64(number))
}
