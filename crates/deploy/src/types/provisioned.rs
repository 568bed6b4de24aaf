//! Provisioned concurrency, which versions and aliases have in the same way.

use serde_json::{Value, json};

use super::work::{Work, gone};

pub(super) const HELD: &str = "ProvisionedConcurrencyConfig";

/// Sets what a version or an alias has, or takes it away.
pub(super) async fn set(
    work: &Work<'_>,
    function: &str,
    qualifier: &str,
    config: Option<&Value>,
) -> Result<(), kit::Error> {
    const MEMBER: &str = "ProvisionedConcurrentExecutions";
    let mut input = json!({ "FunctionName": function, "Qualifier": qualifier });
    match config {
        Some(config) => {
            input[MEMBER] = config[MEMBER].clone();
            work.call("lambda", "PutProvisionedConcurrencyConfig", input).await.map(drop)
        }
        None => gone(work.call("lambda", "DeleteProvisionedConcurrencyConfig", input).await),
    }
}
