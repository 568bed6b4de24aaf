//! Tells whoever runs functions how many environments of which versions are to be ready: when that
//! changes, and again and again, because a restart forgets it and aliases move.

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
        let mut target = Target::of(&found.target)?;
        if let Some(Qualifier::Alias(name)) = &target.qualifier {
            // The version that the alias is for, whatever share another one gets of its events.
            let alias = lambda.alias(&target.place, name).await?;
            target.qualifier = alias.map(|alias| Qualifier::Version(alias.version));
        }
        match lambda.load(&target).await {
            Ok(loaded) => wanted.push((std::sync::Arc::clone(&loaded.spec), found.count)),
            Err(error) => tracing::warn!(version = %target.arn(), %error, "not provisioned"),
        }
    }
    lambda.runner.provision(&wanted);
    Ok(())
}
