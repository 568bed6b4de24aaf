//! Tells whoever runs functions how many environments of which versions are to be ready: when that
//! changes, and again and again, because a restart forgets it and aliases move.

use std::sync::Arc;

use host::FunctionSpec;
use kit::Ctx;
use store::Dir;

use crate::data::{self, Provisioned, Qualifier, Target};
use crate::error::Error;
use crate::functions::Lambda;

pub(crate) async fn tick(ctx: &Ctx) -> Result<(), Error> {
    let lambda = Lambda::of(ctx);
    let mut wanted = Vec::new();
    let all = data::provisioned_key(&ctx.account).prefix();
    for (key, value) in ctx.store().scan(all, Dir::Forward, usize::MAX).await? {
        let found: Provisioned = store::decode(&key, &value)?;
        match spec(lambda, &found).await {
            Ok(spec) => wanted.push((spec, found.count)),
            Err(error) => tracing::warn!(version = %found.target, %error, "not provisioned"),
        }
    }
    lambda.runner.provision(&wanted);
    Ok(())
}

/// How many of the environments that should be ready are.
pub(crate) async fn up(ctx: &Ctx, found: &Provisioned) -> Result<u32, Error> {
    let lambda = Lambda::of(ctx);
    let spec = spec(lambda, found).await?;
    let up = lambda.runner.up(&spec);
    Ok(u32::try_from(up).unwrap_or(u32::MAX).min(found.count))
}

/// The version that is provisioned. Through an alias, it is the one that the alias is for, whatever
/// share another one gets of its events.
async fn spec(lambda: &Lambda, found: &Provisioned) -> Result<Arc<FunctionSpec>, Error> {
    let mut target = Target::of(&found.target)?;
    if let Some(Qualifier::Alias(name)) = &target.qualifier {
        let alias = lambda.alias(&target.place, name).await?;
        target.qualifier = alias.map(|alias| Qualifier::Version(alias.version));
    }
    Ok(Arc::clone(&lambda.load(&target).await?.spec))
}
