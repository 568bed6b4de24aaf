//! The AWS SDK for Rust with nothing but AWS_ENDPOINT_URL, a region and any credentials set.

mod dynamodb;
mod lambda;
mod logs;
mod shop;
mod sns;
mod sqs;
mod sts;

use std::fmt::Debug;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_sts::error::SdkError;

/// The longest that anything here is waited for.
const WAIT: Duration = Duration::from_secs(20);

/// What `aws_config::load_from_env` gives, with two exceptions: a client that knows no TLS, and
/// no retries, because an error must be seen, not smoothed over.
async fn aws() -> SdkConfig {
    assert!(std::env::var_os("AWS_ENDPOINT_URL").is_some(), "AWS_ENDPOINT_URL is not set");
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .retry_config(RetryConfig::disabled())
        .load()
        .await
}

/// A name no other test uses: all tests share the server.
fn name() -> String {
    format!("t-{}", &uuid::Uuid::new_v4().simple().to_string()[..12])
}

/// What a call that must fail says: the error as the SDK models it, and the status of the reply.
#[track_caller]
fn refused<T: Debug, E: Debug>(result: Result<T, SdkError<E>>) -> (E, u16) {
    match result.expect_err("the call must fail") {
        SdkError::ServiceError(refusal) => {
            let status = refusal.raw().status().as_u16();
            (refusal.into_err(), status)
        }
        other => panic!("not an answer of the service: {other:?}"),
    }
}
