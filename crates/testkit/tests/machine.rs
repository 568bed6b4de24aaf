//! The server as a whole: what no crate below it can show alone.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::Machine;

async fn queue(machine: &Machine, name: &str) -> String {
    let made = machine.json("AmazonSQS.CreateQueue", &json!({ "QueueName": name })).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.text);
    made.json()["QueueUrl"].as_str().unwrap().to_owned()
}

/// The bodies of the messages that are there now, or that come within 20 virtual seconds.
async fn receive(machine: &Machine, url: &str, wait_secs: u32) -> Vec<String> {
    let input = json!({ "QueueUrl": url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": wait_secs });
    let got = machine.json("AmazonSQS.ReceiveMessage", &input).await;
    assert_eq!(got.status, StatusCode::OK, "{}", got.text);
    let messages = got.json()["Messages"].as_array().cloned().unwrap_or_default();
    messages.iter().map(|message| message["Body"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_started_server_names_its_services_and_ends_in_order() {
    let machine = Machine::start(1).await;
    for path in ["/_cumulet/health", "/_localstack/health"] {
        let health = machine.send(Method::GET, path, &[], "").await;
        assert_eq!(health.status, StatusCode::OK);
        for service in ["dynamodb", "events", "lambda", "logs", "sns", "sqs", "sts"] {
            assert_eq!(health.json()["services"][service], "running", "{service}");
        }
    }
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_not_deleted_comes_again_when_its_time_has_come() {
    let machine = Machine::start(2).await;
    let url = queue(&machine, "orders").await;
    let sent = json!({ "QueueUrl": url, "MessageBody": "one coffee" });
    let sent = machine.json("AmazonSQS.SendMessage", &sent).await;
    assert_eq!(sent.status, StatusCode::OK, "{}", sent.text);
    assert_eq!(receive(&machine, &url, 0).await, ["one coffee"]);
    assert!(receive(&machine, &url, 0).await.is_empty(), "it is hidden for 30 seconds");
    machine.advance(Duration::from_secs(29));
    assert!(receive(&machine, &url, 0).await.is_empty(), "one second is left");
    machine.advance(Duration::from_secs(1));
    assert_eq!(receive(&machine, &url, 20).await, ["one coffee"]);
    machine.stop().await;
}

const TEMPLATE: &str = "\
service: shop
provider:
  name: aws
  runtime: nodejs20.x
resources:
  Resources:
    Paid:
      Type: AWS::SNS::Topic
      Properties:
        TopicName: paid
    Confirmations:
      Type: AWS::SQS::Queue
      Properties:
        QueueName: confirmations
    ToConfirmations:
      Type: AWS::SNS::Subscription
      Properties:
        Protocol: sqs
        TopicArn: !Ref Paid
        Endpoint: !GetAtt Confirmations.Arn
        RawMessageDelivery: true
  Outputs:
    Confirmations:
      Value: !Ref Confirmations
";

/// The package that `cumulet deploy` would send for a template without functions.
fn package(template: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("serverless.yml"), template).expect("a template");
    let options = deploy::Options::new("000000000000".parse().expect("an account"));
    let read = deploy::read(folder.path(), &options).unwrap_or_else(|error| panic!("{error}"));
    let assets = deploy::Assets::default();
    let package =
        server::Package { stack: read.stack, region: read.region, template: read.template, assets };
    serde_json::to_vec(&package).expect("a package is JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployed_stack_works_is_listed_and_can_be_removed() {
    let machine = Machine::start(3).await;
    let deployed = machine.control(Method::POST, "deploy", package(TEMPLATE)).await;
    assert_eq!(deployed.status, StatusCode::OK, "{}", deployed.text);

    let stacks = machine.control(Method::GET, "stacks", "").await.json();
    let [stack] = &stacks.as_array().unwrap()[..] else { panic!("{stacks}") };
    assert_eq!(stack["name"], "shop-dev");
    let url = stack["outputs"]["Confirmations"].as_str().unwrap();

    let topic = "arn:aws:sns:us-east-1:000000000000:paid";
    let publish =
        format!("Action=Publish&Version=2010-03-31&TopicArn={topic}&Message=order+7+is+paid");
    let published = machine.form(&publish).await;
    assert_eq!(published.status, StatusCode::OK, "{}", published.text);
    assert_eq!(receive(&machine, url, 20).await, ["order 7 is paid"]);

    let removed = machine.control(Method::DELETE, "stacks/shop-dev", "").await;
    assert_eq!(removed.status, StatusCode::OK, "{}", removed.text);
    assert_eq!(machine.control(Method::GET, "stacks", "").await.json(), json!([]));
    let gone = machine.json("AmazonSQS.ReceiveMessage", &json!({ "QueueUrl": url })).await;
    assert_eq!(gone.status, StatusCode::BAD_REQUEST, "{}", gone.text);
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_that_is_none_is_refused_with_a_reason() {
    let machine = Machine::start(4).await;
    let refused = machine.control(Method::POST, "deploy", "{\"stack\":").await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.json()["message"].as_str().unwrap().contains("cumulet deploy"));
    let abroad = TEMPLATE.replace("  name: aws\n", "  name: aws\n  region: eu-west-1\n");
    let refused = machine.control(Method::POST, "deploy", package(&abroad)).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.json()["message"].as_str().unwrap().contains("--region eu-west-1"));
    let nowhere = machine.control(Method::GET, "nowhere", "").await;
    assert_eq!(nowhere.status, StatusCode::NOT_FOUND);
    assert_ne!(nowhere.json()["message"], Value::Null);
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn apis_are_listed_by_pages() {
    let machine = Machine::start(9).await;
    let kit = machine.server.kit();
    for (service, import, list, items, next, [after, limit]) in [
        ("apigateway", "ImportRestApi", "GetRestApis", "item", "position", ["position", "limit"]),
        ("apigatewayv2", "ImportApi", "GetApis", "items", "nextToken", ["nextToken", "maxResults"]),
    ] {
        let document = json!({ "openapi": "3.0.1", "info": { "title": "t" }, "paths": {} });
        let mut input = document.clone();
        input["mode"] = json!("import");
        let input =
            if service == "apigateway" { input } else { json!({ "body": document.to_string() }) };
        for _ in 0..3 {
            kit.call(service, import, input.clone()).await.unwrap();
        }
        let count = |page: &Value| page[items].as_array().unwrap().len();
        let all = kit.call(service, list, json!({})).await.unwrap();
        assert_eq!((count(&all), &all[next]), (3, &Value::Null));
        let first = kit.call(service, list, json!({ limit: 2 })).await.unwrap();
        assert_eq!(count(&first), 2);
        let rest = json!({ limit: 2, after: first[next] });
        let rest = kit.call(service, list, rest).await.unwrap();
        assert_eq!((&rest[items][0], &rest[next]), (&all[items][2], &Value::Null));
    }
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_definition_says_and_is_not_served_is_refused_by_its_place() {
    let machine = Machine::start(10).await;
    let secured = json!({
        "openapi": "3.0.1", "info": { "title": "t" }, "paths": {}, "security": [{ "key": [] }],
    });
    let (rest, http) = ("/restapis?mode=import", "/v2/apis");
    let wrapped = |document: &Value| json!({ "body": document.to_string() });
    let mut unknown = secured.clone();
    unknown["security"] = json!([]);
    unknown["infos"] = json!({});
    let unserved = StatusCode::NOT_IMPLEMENTED;
    for (method, path, body, status, message) in [
        (
            Method::POST,
            rest,
            secured.clone(),
            unserved,
            "apigateway.ImportRestApi with #/security is not served",
        ),
        (
            Method::PUT,
            http,
            wrapped(&secured),
            unserved,
            "apigatewayv2.ImportApi with #/security is not served",
        ),
        (
            Method::POST,
            "/restapis?mode=import&basepath=split",
            secured.clone(),
            unserved,
            "apigateway.ImportRestApi with basepath is not served",
        ),
        (Method::PUT, http, wrapped(&unknown), StatusCode::BAD_REQUEST, "#/infos is unexpected"),
    ] {
        let answer = machine.send(method, path, &[], body.to_string()).await;
        let told = answer.json();
        assert_eq!((answer.status, told["Message"].as_str()), (status, Some(message)), "{told}");
    }
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rest_operation_that_is_not_served_is_refused_by_name() {
    let machine = Machine::start(11).await;
    let mut refused = 0;
    for (id, lines) in [
        ("apigateway", include_str!("../../../services/apigateway/unserved.txt")),
        ("apigatewayv2", include_str!("../../../services/apigatewayv2/unserved.txt")),
        ("lambda", include_str!("../../../services/lambda/unserved.txt")),
    ] {
        for line in lines.lines() {
            let [method, path, name] = line.split(' ').collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            let method: Method = method.parse().unwrap();
            // What is read from a path stands for any label.
            let path = path.replace(['{', '}'], "");
            let answer = machine.send(method, &path, &[], "").await;
            let message = format!("{id}.{name} is not served");
            assert_eq!(answer.json()["Message"], json!(message), "{line}: {}", answer.text);
            refused += 1;
        }
    }
    assert!(refused > 200, "only {refused}");
    machine.stop().await;
}
