//! The native sample function as most write it in Rust: with the runtime that AWS publishes.
//!
//! It reads its events and answers as the other samples do.

use std::time::Duration;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::run(service_fn(answer)).await
}

async fn answer(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let (event, context) = event.into_parts();
    if let Some(hold_ms) = event["hold_ms"].as_u64() {
        tokio::time::sleep(Duration::from_millis(hold_ms)).await;
    }
    let mut answer = json!({ "stream": context.env_config.log_stream, "program": "bootstrap" });
    if event["born"] == true {
        answer["born"] = std::fs::read_to_string("/proc/self/stat")?.trim_end().into();
    }
    Ok(answer)
}
