//! Logs: what a function writes, found by group, stream and words.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use serde_json::json;

use crate::lambda::{ECHO, function, invoke};
use crate::{aws, name, refused};

fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_millis()).unwrap()
}

#[tokio::test]
async fn what_a_function_writes_is_found() {
    let before = now();
    let config = aws().await;
    let (lambda, logs) = (aws_sdk_lambda::Client::new(&config), Client::new(&config));
    let name = function(&lambda, ECHO).await;
    for word in ["otter", "heron", "newt"] {
        invoke(&lambda, &name, &json!({ "word": word })).await;
    }
    let group = format!("/aws/lambda/{name}");

    let filter = logs.filter_log_events().log_group_name(&group).start_time(before - 1000);
    let found = filter.clone().filter_pattern("otter").send().await.unwrap();
    let [event] = found.events() else { panic!("{found:?}") };
    assert!(event.message().unwrap().contains("\tINFO\theard otter"), "{event:?}");
    let time = event.timestamp().unwrap();
    assert!((before - 1000..=now() + 1000).contains(&time), "{time}");
    assert!(event.log_stream_name().unwrap().contains("[$LATEST]"));
    assert!(event.event_id().is_some());

    let mut pages = filter.limit(4).into_paginator().send();
    let mut all: Vec<FilteredLogEvent> = Vec::new();
    while let Some(page) = pages.next().await {
        all.extend(page.unwrap().events.unwrap_or_default());
    }
    let count = |word: &str| {
        all.iter().filter(|event| event.message().is_some_and(|text| text.contains(word))).count()
    };
    assert_eq!((count("START RequestId"), count("heard "), count("REPORT ")), (3, 3, 3));

    let streams = logs.describe_log_streams().log_group_name(&group).send().await.unwrap();
    let stream = streams.log_streams()[0].log_stream_name().unwrap();
    let read = logs.get_log_events().log_group_name(&group).log_stream_name(stream);
    let first = read.start_from_head(true).limit(1).send().await.unwrap();
    assert!(first.events()[0].message().unwrap().contains("_START Runtime Version: "), "{first:?}");
    assert!(first.next_forward_token().is_some());
}

#[tokio::test]
async fn groups_are_made_listed_and_missed_as_typed_errors() {
    let logs = Client::new(&aws().await);
    let group = name();
    logs.create_log_group().log_group_name(&group).send().await.unwrap();
    let (error, status) = refused(logs.create_log_group().log_group_name(&group).send().await);
    assert!(error.is_resource_already_exists_exception() && status == 400, "{error:?}");

    let pages = logs.describe_log_groups().log_group_name_prefix(&group).into_paginator();
    let found = pages.items().send().collect::<Result<Vec<_>, _>>().await.unwrap();
    assert_eq!(found.len(), 1);
    assert!(found[0].creation_time().is_some_and(|time| (now() - time).abs() < 60_000));

    logs.delete_log_group().log_group_name(&group).send().await.unwrap();
    let (error, _) = refused(logs.filter_log_events().log_group_name(&group).send().await);
    assert!(error.is_resource_not_found_exception(), "{error:?}");
}
