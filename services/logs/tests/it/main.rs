//! The service on lines in memory and a virtual clock, spoken to as a client does.
#![expect(clippy::unwrap_used, reason = "a test may end by it, in its helpers too")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base::{Clock as _, SeededRandom, Time, VirtualClock};
use engine_memory::Memory;
use kit::{Kit, Parts, Services};
use serde_json::{Value, json};
use store::{Blobs, Store};
use telemetry::{Config, GroupName, LogLine, LogSink as _, LogStore, StreamName};

const START: u64 = 1_700_000_000_000;

struct Server {
    kit: Kit,
    logs: LogStore,
    clock: Arc<VirtualClock>,
}

impl Server {
    async fn start() -> Server {
        let clock = Arc::new(VirtualClock::new(Time::from_millis(START)));
        let engine = Arc::new(Memory::new());
        let logs = LogStore::open(engine, clock.clone(), Config::default()).await.unwrap();
        let store = Store::open(Arc::new(Memory::new()), Blobs::memory(), "test").await.unwrap();
        let kit = Kit::new(Parts {
            store,
            clock: clock.clone(),
            random: Arc::new(SeededRandom::new(7)),
            account: "000000000000".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
            cache: Path::new("/nonexistent").to_owned(),
        });
        let service = service_logs::service(&kit, logs.clone());
        kit.set_services(Arc::new(Services::new(vec![service])));
        Server { kit, logs, clock }
    }

    /// Writes a line, a millisecond after the one before.
    fn write(&self, group: &str, stream: &str, text: &str) {
        let (account, region) = ("000000000000".parse().unwrap(), "us-east-1".parse().unwrap());
        let group = GroupName { account, region, name: group.into() };
        let to = Arc::new(StreamName { group, name: stream.into() });
        let time = self.clock.now();
        self.logs.write(LogLine { to, time, request_id: None, text: text.into() });
        self.clock.advance(Duration::from_millis(1));
    }

    async fn call(&self, operation: &str, input: Value) -> Result<Value, String> {
        self.kit.call("logs", operation, input).await.map_err(|error| error.to_string())
    }

    async fn ok(&self, operation: &str, input: Value) -> Value {
        self.call(operation, input).await.unwrap()
    }
}

fn messages(answer: &Value) -> Vec<&str> {
    answer["events"].as_array().unwrap().iter().map(|e| e["message"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_function_that_wrote_has_a_group_and_a_stream() {
    let server = Server::start().await;
    server.write("/aws/lambda/f", "2026/[$LATEST]1", "a");
    server.write("/aws/lambda/f", "2026/[$LATEST]2", "b");
    server.write("/aws/lambda/g", "s", "c");
    for _stored in [false, true] {
        let found = server.ok("DescribeLogGroups", json!({"logGroupNamePrefix": "/aws/"})).await;
        let arn = "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/f";
        let group = &found["logGroups"][0];
        assert_eq!(group["arn"], format!("{arn}:*"));
        assert_eq!(group["logGroupArn"], arn);
        assert_eq!(group["creationTime"], START);
        assert_eq!(found["logGroups"].as_array().unwrap().len(), 2);

        let input = json!({"logGroupName": "/aws/lambda/f", "orderBy": "LastEventTime",
            "descending": true, "limit": 1});
        let first = server.ok("DescribeLogStreams", input.clone()).await;
        let stream = &first["logStreams"][0];
        assert_eq!(stream["logStreamName"], "2026/[$LATEST]2");
        assert_eq!(stream["lastEventTimestamp"], START + 1);
        let mut input = input;
        input["nextToken"] = first["nextToken"].clone();
        let second = server.ok("DescribeLogStreams", input).await;
        assert_eq!(second["logStreams"][0]["logStreamName"], "2026/[$LATEST]1");
        assert!(second.get("nextToken").is_none());
        server.logs.flush().await.unwrap();
    }
}

#[tokio::test]
async fn groups_come_in_pages() {
    let server = Server::start().await;
    for n in 0..5 {
        server.ok("CreateLogGroup", json!({"logGroupName": format!("g{n}")})).await;
    }
    let (mut names, mut token) = (Vec::new(), Value::Null);
    loop {
        let page = server.ok("DescribeLogGroups", json!({"limit": 2, "nextToken": token})).await;
        for group in page["logGroups"].as_array().unwrap() {
            names.push(group["logGroupName"].as_str().unwrap().to_owned());
        }
        token = page["nextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(names, ["g0", "g1", "g2", "g3", "g4"]);
}

#[tokio::test]
async fn a_stream_is_read_in_both_directions_and_followed() {
    let server = Server::start().await;
    for n in 0..7 {
        server.write("g", "s", &n.to_string());
        server.write("g", "other", "x");
    }
    server.logs.flush().await.unwrap();
    let get = |more: Value| {
        let mut input = json!({"logGroupName": "g", "logStreamName": "s", "limit": 3});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        server.ok("GetLogEvents", input)
    };
    let last = get(json!({})).await;
    assert_eq!(messages(&last), ["4", "5", "6"], "the newest, unless told otherwise");
    let before = get(json!({"nextToken": last["nextBackwardToken"]})).await;
    assert_eq!(messages(&before), ["1", "2", "3"]);
    let after = get(json!({"nextToken": before["nextForwardToken"]})).await;
    assert_eq!(messages(&after), ["4", "5", "6"]);

    let head = get(json!({"startFromHead": true})).await;
    assert_eq!(messages(&head), ["0", "1", "2"]);
    let end = get(json!({"nextToken": last["nextForwardToken"]})).await;
    assert_eq!(messages(&end), [] as [&str; 0]);
    assert_eq!(end["nextForwardToken"], last["nextForwardToken"]);
    server.write("g", "s", "later");
    let later = get(json!({"nextToken": end["nextForwardToken"]})).await;
    assert_eq!(messages(&later), ["later"]);

    let span = get(json!({"startTime": START + 2, "endTime": START + 4})).await;
    assert_eq!(messages(&span), ["1"], "the end is not part of it");
    let arn = "arn:aws:logs:us-east-1:000000000000:log-group:g:*";
    let input = json!({"logGroupIdentifier": arn, "logStreamName": "s", "startFromHead": true});
    assert_eq!(messages(&server.ok("GetLogEvents", input).await).len(), 8);
}

#[tokio::test]
async fn a_search_goes_through_all_streams() {
    let server = Server::start().await;
    for n in 0..6 {
        let text = if n % 2 == 0 { format!("ERROR {n}") } else { format!("fine {n}") };
        server.write("g", ["a1", "a2", "b1"][n % 3], &text);
        if n == 2 {
            server.logs.flush().await.unwrap();
        }
    }
    let filter = |more: Value| {
        let mut input = json!({"logGroupName": "g"});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        server.ok("FilterLogEvents", input)
    };
    let found = filter(json!({"filterPattern": "ERROR"})).await;
    assert_eq!(messages(&found), ["ERROR 0", "ERROR 2", "ERROR 4"]);
    assert_eq!(found["events"][1]["logStreamName"], "b1");
    let ids: Vec<_> = found["events"].as_array().unwrap().iter().map(|e| &e["eventId"]).collect();
    assert!(ids[0].as_str().unwrap() < ids[1].as_str().unwrap());
    let first = filter(json!({"filterPattern": "ERROR", "limit": 2})).await;
    let rest = json!({"filterPattern": "ERROR", "limit": 2, "nextToken": first["nextToken"]});
    assert_eq!(messages(&filter(rest).await), ["ERROR 4"]);
    let prefix = filter(json!({"logStreamNamePrefix": "a"})).await;
    assert_eq!(messages(&prefix), ["ERROR 0", "fine 1", "fine 3", "ERROR 4"]);
    let named = filter(json!({"logStreamNames": ["b1"], "endTime": START + 2})).await;
    assert_eq!(messages(&named), ["ERROR 2"], "the end is part of it");
}

#[tokio::test]
async fn groups_and_streams_are_made_and_deleted() {
    let server = Server::start().await;
    server.ok("CreateLogGroup", json!({"logGroupName": "g"})).await;
    server.ok("CreateLogStream", json!({"logGroupName": "g", "logStreamName": "s"})).await;
    let events =
        server.ok("GetLogEvents", json!({"logGroupName": "g", "logStreamName": "s"})).await;
    assert_eq!(messages(&events), [] as [&str; 0]);
    server.ok("DeleteLogGroup", json!({"logGroupName": "g"})).await;
    let gone = server.call("DescribeLogStreams", json!({"logGroupName": "g"})).await;
    assert_eq!(
        gone.unwrap_err(),
        "ResourceNotFoundException: The specified log group does not exist."
    );
}

#[tokio::test]
async fn mistakes_have_their_names() {
    let server = Server::start().await;
    server.ok("CreateLogGroup", json!({"logGroupName": "g"})).await;
    server.ok("CreateLogStream", json!({"logGroupName": "g", "logStreamName": "s"})).await;
    for (operation, input, expected) in [
        (
            "CreateLogGroup",
            json!({"logGroupName": "g"}),
            "ResourceAlreadyExistsException: The specified log group already exists",
        ),
        (
            "CreateLogStream",
            json!({"logGroupName": "g", "logStreamName": "s"}),
            "ResourceAlreadyExistsException: The specified log stream already exists",
        ),
        (
            "CreateLogStream",
            json!({"logGroupName": "h", "logStreamName": "s"}),
            "ResourceNotFoundException: The specified log group does not exist.",
        ),
        (
            "GetLogEvents",
            json!({"logGroupName": "g", "logStreamName": "t"}),
            "ResourceNotFoundException: The specified log stream does not exist.",
        ),
        (
            "CreateLogGroup",
            json!({"logGroupName": "a b"}),
            "InvalidParameterException: 1 validation error detected: Value 'a b' at 'logGroupName' \
             failed to satisfy constraint: Member must satisfy regular expression pattern: \
             [\\.\\-_/#A-Za-z0-9]+",
        ),
        (
            "CreateLogGroup",
            json!({}),
            "InvalidParameterException: 1 validation error detected: Value null at 'logGroupName' \
             failed to satisfy constraint: Member must not be null",
        ),
        (
            "CreateLogGroup",
            json!({"logGroupName": "k", "kmsKeyId": "x"}),
            "NotImplemented: logs.CreateLogGroup with kmsKeyId is not served",
        ),
        (
            "GetLogEvents",
            json!({"logGroupName": "g", "logStreamName": "s", "nextToken": "x"}),
            "InvalidParameterException: The specified nextToken is invalid.",
        ),
        (
            "FilterLogEvents",
            json!({"logGroupName": "g", "filterPattern": "{ $.a = 1 }"}),
            "NotImplemented: a JSON filter pattern is not served",
        ),
        (
            "FilterLogEvents",
            json!({"logGroupName": "g", "limit": 10001}),
            "InvalidParameterException: 1 validation error detected: Value '10001' at 'limit' failed \
             to satisfy constraint: Member must have value between 1 and 10000",
        ),
        (
            "PutLogEvents",
            json!({"logGroupName": "g"}),
            "UnknownOperationException: logs.PutLogEvents is not served",
        ),
    ] {
        assert_eq!(server.call(operation, input).await.unwrap_err(), expected, "{operation}");
    }
}

#[tokio::test]
async fn what_would_change_the_answer_is_refused_by_name() {
    let server = Server::start().await;
    for (operation, input, what) in [
        ("FilterLogEvents", json!({ "startFromHead": false }), "startFromHead false"),
        ("FilterLogEvents", json!({ "unmask": true }), "unmask"),
        (
            "CreateLogGroup",
            json!({ "deletionProtectionEnabled": true }),
            "deletionProtectionEnabled",
        ),
    ] {
        let expected = format!("NotImplemented: logs.{operation} with {what} is not served");
        assert_eq!(server.call(operation, input).await.unwrap_err(), expected);
    }
}
