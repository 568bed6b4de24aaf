//! What an account may use and does use.

use kit::Ctx;
use store::Dir;

use crate::api::{AccountLimit, AccountSettingsOutput, AccountUsage, NoInput};
use crate::code::{UNZIPPED_BYTES_MAX, ZIP_BYTES_MAX};
use crate::data::{self, Function};
use crate::error::Error;

/// SEMANTICS 1.1.
const CONCURRENT_MAX: u32 = 1000;
const CODE_BYTES_MAX: u64 = 75 * 1024 * 1024 * 1024;

pub(crate) async fn settings(ctx: &Ctx, _: NoInput) -> Result<AccountSettingsOutput, Error> {
    let range = data::functions_key(&ctx.account, &ctx.region).prefix();
    let mut account_usage = AccountUsage { total_code_size: 0, function_count: 0 };
    for (key, value) in ctx.store().scan(range, Dir::Forward, usize::MAX).await? {
        account_usage.total_code_size += store::decode::<Function>(&key, &value)?.code.size;
        account_usage.function_count += 1;
    }
    let account_limit = AccountLimit {
        total_code_size: CODE_BYTES_MAX,
        code_size_unzipped: UNZIPPED_BYTES_MAX,
        code_size_zipped: ZIP_BYTES_MAX as u64,
        concurrent_executions: CONCURRENT_MAX,
        unreserved_concurrent_executions: CONCURRENT_MAX,
    };
    Ok(AccountSettingsOutput { account_limit, account_usage })
}
