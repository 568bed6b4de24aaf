//! Functions: made from a zip, invoked in every way, changed, fed by a queue, deleted.

use std::io::{Cursor, Write};
use std::time::{Duration, Instant};

use aws_sdk_lambda::Client;
use aws_sdk_lambda::client::Waiters;
use aws_sdk_lambda::error::ProvideErrorMetadata;
use aws_sdk_lambda::operation::RequestId;
use aws_sdk_lambda::operation::get_function::GetFunctionError;
use aws_sdk_lambda::operation::invoke::InvokeOutput;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{
    Environment, FunctionCode, FunctionConfiguration, InvocationType, LogType, Runtime, State,
};
use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::{WAIT, aws, name, refused};

pub(crate) const ECHO: &str = "exports.handler = async (event) => {
  console.log('heard', event.word);
  if (event.fail) throw new TypeError(event.fail);
  return { said: event.word, greeting: process.env.GREETING };
};";

async fn client() -> Client {
    Client::new(&aws().await)
}

fn package(source: &str) -> Blob {
    let mut package = ZipWriter::new(Cursor::new(Vec::new()));
    package.start_file("index.js", SimpleFileOptions::default()).unwrap();
    package.write_all(source.as_bytes()).unwrap();
    Blob::new(package.finish().unwrap().into_inner())
}

/// A function of that source, ready.
pub(crate) async fn function(lambda: &Client, source: &str) -> String {
    let name = name();
    lambda
        .create_function()
        .function_name(&name)
        .runtime(Runtime::Nodejs20x)
        .role("arn:aws:iam::000000000000:role/any")
        .handler("index.handler")
        .timeout(10)
        .code(FunctionCode::builder().zip_file(package(source)).build())
        .send()
        .await
        .unwrap();
    lambda.wait_until_function_active_v2().function_name(&name).wait(WAIT).await.unwrap();
    name
}

pub(crate) async fn invoke(lambda: &Client, name: &str, event: &Value) -> (InvokeOutput, Value) {
    let payload = Blob::new(event.to_string());
    let reply = lambda.invoke().function_name(name).payload(payload).send().await.unwrap();
    let result = serde_json::from_slice(reply.payload().unwrap().as_ref()).unwrap();
    (reply, result)
}

#[tokio::test]
async fn a_function_is_made_described_listed_and_deleted() {
    let lambda = client().await;
    let name = function(&lambda, ECHO).await;
    let found = lambda.get_function().function_name(&name).send().await.unwrap();
    let configuration = found.configuration().unwrap();
    let arn = format!("arn:aws:lambda:us-east-1:000000000000:function:{name}");
    assert_eq!(configuration.function_arn(), Some(arn.as_str()));
    assert_eq!(configuration.runtime(), Some(&Runtime::Nodejs20x));
    assert_eq!(configuration.state(), Some(&State::Active));
    assert_eq!((configuration.timeout(), configuration.memory_size()), (Some(10), Some(128)));
    assert_eq!(configuration.code_size(), i64::try_from(package(ECHO).as_ref().len()).unwrap());

    let pages = lambda.list_functions().into_paginator().page_size(1).items().send();
    let all = pages.collect::<Result<Vec<FunctionConfiguration>, _>>().await.unwrap();
    let same = all.iter().filter(|each| each.function_name() == Some(&name));
    assert_eq!(same.count(), 1);

    let again = lambda
        .create_function()
        .function_name(&name)
        .runtime(Runtime::Nodejs20x)
        .role("arn:aws:iam::000000000000:role/any")
        .handler("index.handler")
        .code(FunctionCode::builder().zip_file(package(ECHO)).build())
        .send()
        .await;
    let (error, status) = refused(again);
    assert!(error.is_resource_conflict_exception() && status == 409, "{error:?}");

    lambda.delete_function().function_name(&arn).send().await.unwrap();
    let (error, status) = refused(lambda.get_function().function_name(&name).send().await);
    assert_eq!(status, 404);
    assert!(error.request_id().is_some());
    let GetFunctionError::ResourceNotFoundException(missing) = error else {
        panic!("another error: {error:?}");
    };
    assert_eq!(missing.message(), Some(format!("Function not found: {arn}").as_str()));
    assert_eq!(missing.r#type(), Some("User"));
    let (error, _) = refused(lambda.invoke().function_name(&name).send().await);
    assert!(error.is_resource_not_found_exception(), "{error:?}");
}

#[tokio::test]
async fn an_event_goes_in_and_a_result_or_the_error_comes_out() {
    let lambda = client().await;
    let name = function(&lambda, ECHO).await;
    let (reply, result) = invoke(&lambda, &name, &json!({ "word": "Grüße 🛒" })).await;
    assert_eq!(result, json!({ "said": "Grüße 🛒" }));
    assert_eq!((reply.status_code(), reply.function_error()), (200, None));
    assert_eq!(reply.executed_version(), Some("$LATEST"));
    assert!(reply.request_id().is_some_and(|id| id.len() == 36), "{reply:?}");

    let (reply, error) = invoke(&lambda, &name, &json!({ "word": "x", "fail": "no" })).await;
    // An error of the function is no error of the call.
    assert_eq!((reply.status_code(), reply.function_error()), (200, Some("Unhandled")));
    assert_eq!((&error["errorType"], &error["errorMessage"]), (&json!("TypeError"), &json!("no")));
    assert!(error["trace"].is_array(), "{error}");

    let big = "x".repeat(3_000_000);
    let (_, result) = invoke(&lambda, &name, &json!({ "word": big })).await;
    assert_eq!(result["said"], big);

    let call = lambda.invoke().function_name(&name).payload(Blob::new(r#"{"word":"w"}"#));
    let tailed = call.clone().log_type(LogType::Tail).send().await.unwrap();
    assert!(tailed.log_result().is_some_and(|tail| tail.len() > 100), "{tailed:?}");
    let dry = call.clone().invocation_type(InvocationType::DryRun).send().await.unwrap();
    assert_eq!(dry.status_code(), 204);
    let later = call.invocation_type(InvocationType::Event).send().await.unwrap();
    assert_eq!(later.status_code(), 202);

    let bad = lambda.invoke().function_name(&name).payload(Blob::new("{")).send().await;
    let (error, status) = refused(bad);
    assert!(error.is_invalid_request_content_exception() && status == 400, "{error:?}");
}

#[tokio::test]
async fn new_code_and_new_settings_run_at_once() {
    let lambda = client().await;
    let name = function(&lambda, "exports.handler = async () => 'old';").await;
    assert_eq!(invoke(&lambda, &name, &json!(null)).await.1, "old");

    let update = lambda.update_function_code().function_name(&name).zip_file(package(ECHO));
    let updated = update.send().await.unwrap();
    lambda.wait_until_function_updated_v2().function_name(&name).wait(WAIT).await.unwrap();
    assert_eq!(invoke(&lambda, &name, &json!({ "word": "new" })).await.1["said"], "new");

    lambda
        .update_function_configuration()
        .function_name(&name)
        .timeout(1)
        .environment(Environment::builder().variables("GREETING", "hallo").build())
        .send()
        .await
        .unwrap();
    lambda.wait_until_function_updated_v2().function_name(&name).wait(WAIT).await.unwrap();
    assert_eq!(invoke(&lambda, &name, &json!({})).await.1["greeting"], "hallo");
    let read = lambda.get_function_configuration().function_name(&name).send().await.unwrap();
    assert_eq!(read.timeout(), Some(1));
    assert_eq!(read.code_sha256(), updated.code_sha256());

    let stale = lambda.update_function_code().function_name(&name).zip_file(package(ECHO));
    let (error, status) = refused(stale.revision_id("stale").send().await);
    assert!(error.is_precondition_failed_exception() && status == 412, "{error:?}");
    let broken = lambda.update_function_code().function_name(&name);
    let (error, status) = refused(broken.zip_file(Blob::new("no zip")).send().await);
    assert!(error.is_invalid_parameter_value_exception() && status == 400, "{error:?}");
}

#[tokio::test]
async fn a_function_too_slow_is_told_so() {
    let lambda = client().await;
    let source = "exports.handler = () => new Promise((done) => setTimeout(done, 60_000));";
    let name = function(&lambda, source).await;
    let settings = lambda.update_function_configuration().function_name(&name);
    settings.timeout(1).send().await.unwrap();
    let (reply, error) = invoke(&lambda, &name, &json!({})).await;
    assert_eq!(reply.function_error(), Some("Unhandled"));
    let words = error["errorMessage"].as_str().unwrap();
    assert!(words.contains("Task timed out after 1.00 seconds"), "{words}");
}

#[tokio::test]
async fn a_queue_feeds_a_function() {
    let config = aws().await;
    let (lambda, sqs) = (Client::new(&config), aws_sdk_sqs::Client::new(&config));
    let queue = name();
    let url = sqs.create_queue().queue_name(&queue).send().await.unwrap().queue_url.unwrap();
    let arn = format!("arn:aws:sqs:us-east-1:000000000000:{queue}");
    let name = function(&lambda, "exports.handler = async () => {};").await;
    let mapping = lambda
        .create_event_source_mapping()
        .function_name(&name)
        .event_source_arn(&arn)
        .batch_size(5)
        .send()
        .await
        .unwrap();
    let id = mapping.uuid().unwrap();
    assert_eq!(mapping.batch_size(), Some(5));
    assert!(mapping.last_modified().is_some());
    let listed = lambda.list_event_source_mappings().function_name(&name).into_paginator();
    let listed = listed.items().send().collect::<Result<Vec<_>, _>>().await.unwrap();
    assert_eq!(listed.iter().filter_map(|each| each.uuid()).collect::<Vec<_>>(), [id]);

    sqs.send_message().queue_url(&url).message_body("job").send().await.unwrap();
    // Acknowledged once the function has had it.
    let start = Instant::now();
    loop {
        use aws_sdk_sqs::types::QueueAttributeName as Name;
        let counts = sqs
            .get_queue_attributes()
            .queue_url(&url)
            .attribute_names(Name::ApproximateNumberOfMessages)
            .attribute_names(Name::ApproximateNumberOfMessagesNotVisible)
            .send()
            .await
            .unwrap();
        if counts.attributes().unwrap().values().all(|count| count == "0") {
            break;
        }
        assert!(start.elapsed() < WAIT, "{counts:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    lambda.delete_event_source_mapping().uuid(id).send().await.unwrap();
    let none = lambda.get_event_source_mapping().uuid("00000000-0000-4000-8000-000000000000");
    let (error, _) = refused(none.send().await);
    assert!(error.is_resource_not_found_exception(), "{error:?}");
    assert_eq!(error.code(), Some("ResourceNotFoundException"));
}
