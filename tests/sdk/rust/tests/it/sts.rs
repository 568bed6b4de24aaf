//! Who is asking.

use aws_sdk_sts::error::ProvideErrorMetadata;
use aws_sdk_sts::operation::RequestId;

use crate::{aws, refused};

#[tokio::test]
async fn who_am_i() {
    let sts = aws_sdk_sts::Client::new(&aws().await);
    let caller = sts.get_caller_identity().send().await.unwrap();
    assert_eq!(caller.account(), Some("000000000000"));
    assert_eq!(caller.arn(), Some("arn:aws:iam::000000000000:root"));
    assert!(caller.user_id().is_some());
    assert!(caller.request_id().is_some_and(|id| id.len() == 36), "{caller:?}");
}

#[tokio::test]
async fn what_is_not_served_is_an_error_with_a_code() {
    let sts = aws_sdk_sts::Client::new(&aws().await);
    let (error, status) = refused(sts.get_session_token().send().await);
    assert_eq!((error.code(), status), (Some("InvalidAction"), 400));
    assert!(error.message().is_some_and(|words| words.contains("GetSessionToken")), "{error:?}");
    assert!(error.request_id().is_some());
}
