//! The identity behind a request's signature.

use kit::{Ctx, Error};

use crate::api::{GetCallerIdentityInput, GetCallerIdentityOutput};

pub(crate) async fn get(
    ctx: &Ctx,
    _: GetCallerIdentityInput,
) -> Result<GetCallerIdentityOutput, Error> {
    Ok(GetCallerIdentityOutput {
        user_id: ctx.caller.user_id.clone(),
        account: ctx.account.to_string(),
        arn: ctx.caller.arn.to_string(),
    })
}
