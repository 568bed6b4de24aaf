//! Wire shapes, nothing else.

use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
pub(crate) struct GetCallerIdentityInput {}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GetCallerIdentityOutput {
    pub(crate) user_id: String,
    pub(crate) account: String,
    pub(crate) arn: String,
}
