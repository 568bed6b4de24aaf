//! What an account may use and does use.

use kit::Ctx;
use store::Dir;

use crate::api::{AccountLimit, AccountSettingsOutput, AccountUsage, NoInput};
use crate::code::{UNZIPPED_BYTES_MAX, ZIP_BYTES_MAX};
use crate::data::{self, Function, LayerVersion};
use crate::error::Error;
use crate::ops::concurrency::Taken;
use crate::usage::ACCOUNT_MAX;

/// SEMANTICS 1.1.
const CODE_BYTES_MAX: u64 = 75 * 1024 * 1024 * 1024;

pub(crate) async fn settings(ctx: &Ctx, _: NoInput) -> Result<AccountSettingsOutput, Error> {
    let mut usage = AccountUsage { total_code_size: 0, function_count: 0 };
    let functions = data::functions_key(&ctx.account, &ctx.region);
    for (key, value) in ctx.store().scan(functions.prefix(), Dir::Forward, usize::MAX).await? {
        usage.total_code_size += store::decode::<Function>(&key, &value)?.code.size;
        usage.function_count += 1;
    }
    let versions = data::versions_key(&ctx.account, &ctx.region);
    for (key, value) in ctx.store().scan(versions.prefix(), Dir::Forward, usize::MAX).await? {
        usage.total_code_size += store::decode::<Function>(&key, &value)?.code.size;
    }
    let layers = data::layer_versions_key(&ctx.account, &ctx.region);
    for (key, value) in ctx.store().scan(layers.prefix(), Dir::Forward, usize::MAX).await? {
        usage.total_code_size += store::decode::<LayerVersion>(&key, &value)?.code.size;
    }
    let read = |tx| async move { Taken::read(ctx, &tx).await };
    let taken = ctx.store().transact(&ctx.account, read).await?;
    let account_limit = AccountLimit {
        total_code_size: CODE_BYTES_MAX,
        code_size_unzipped: UNZIPPED_BYTES_MAX,
        code_size_zipped: ZIP_BYTES_MAX as u64,
        concurrent_executions: ACCOUNT_MAX,
        unreserved_concurrent_executions: taken.unreserved(),
    };
    Ok(AccountSettingsOutput { account_limit, account_usage: usage })
}
