use serde_json::{Value, json};

use crate::Machine;

/// Calls an operation and compares what comes back, as text.
async fn check(machine: &Machine, operation: &str, input: Value, expected: &str) {
    let given = input.to_string();
    assert_eq!(machine.call(operation, input).await, expected, "{operation} {given}");
}

#[tokio::test]
async fn a_rule_is_made_described_switched_and_deleted() {
    let m = &Machine::new().await;
    let rule = json!({
        "Name": "daily",
        "ScheduleExpression": "cron(0 12 * * ? *)",
        "Description": "noon",
        "RoleArn": "arn:aws:iam::000000000000:role/r",
        "EventBusName": "default",
    });
    let arn = r#"{"RuleArn":"arn:aws:events:us-east-1:000000000000:rule/daily"}"#;
    check(m, "PutRule", rule, arn).await;
    let described = |state: &str| {
        json!({
            "Name": "daily",
            "Arn": "arn:aws:events:us-east-1:000000000000:rule/daily",
            "ScheduleExpression": "cron(0 12 * * ? *)",
            "State": state,
            "Description": "noon",
            "RoleArn": "arn:aws:iam::000000000000:role/r",
            "EventBusName": "default",
            "CreatedBy": "000000000000",
        })
        .to_string()
    };
    let name = || json!({ "Name": "daily" });
    check(m, "DescribeRule", name(), &described("ENABLED")).await;
    check(m, "DisableRule", name(), "{}").await;
    check(m, "DescribeRule", name(), &described("DISABLED")).await;
    check(m, "EnableRule", name(), "{}").await;
    check(m, "EnableRule", name(), "{}").await;
    check(m, "DescribeRule", name(), &described("ENABLED")).await;
    check(m, "DeleteRule", name(), "{}").await;
    check(m, "DeleteRule", name(), "{}").await;
    let none = "ResourceNotFoundException: Rule daily does not exist on EventBus default.";
    for operation in ["DescribeRule", "EnableRule", "DisableRule"] {
        check(m, operation, name(), none).await;
    }
}

#[tokio::test]
async fn a_rule_with_targets_is_not_deleted() {
    let m = &Machine::new().await;
    m.rule("r", "rate(1 day)", &["a", "b"]).await;
    let refused = "ValidationException: Rule can't be deleted since it has targets.";
    check(m, "DeleteRule", json!({ "Name": "r" }), refused).await;
}

#[tokio::test]
async fn pages_follow_one_another() {
    let m = &Machine::new().await;
    for name in ["a1", "b1", "b2", "b3"] {
        m.rule(name, "rate(1 day)", &[]).await;
    }
    let names = |text: String| {
        let page: Value = serde_json::from_str(&text).unwrap();
        let names = page["Rules"].as_array().unwrap().iter();
        let names: Vec<String> = names.map(|r| r["Name"].as_str().unwrap().to_owned()).collect();
        (names.join(" "), page["NextToken"].clone())
    };
    let all = names(m.call("ListRules", json!({})).await);
    assert_eq!(all, ("a1 b1 b2 b3".to_owned(), Value::Null));
    let first = names(m.call("ListRules", json!({ "NamePrefix": "b", "Limit": 2 })).await);
    assert_eq!(first.0, "b1 b2");
    let next = json!({ "NamePrefix": "b", "Limit": 2, "NextToken": first.1 });
    assert_eq!(names(m.call("ListRules", next).await), ("b3".to_owned(), Value::Null));
}

#[tokio::test]
async fn what_is_not_served_or_not_valid_is_refused() {
    let m = &Machine::new().await;
    m.rule("r", "rate(1 day)", &[]).await;
    let rule = |more: Value| {
        let mut rule = json!({ "Name": "x", "ScheduleExpression": "rate(1 day)" });
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        rule
    };
    let invalid = "ValidationException: Parameter ScheduleExpression is not valid.";
    check(m, "PutRule", rule(json!({ "ScheduleExpression": "rate(1 days)" })), invalid).await;
    let pattern = rule(json!({ "EventPattern": "{\"source\":[\"a\"]}" }));
    let refused = "NotImplemented: events.PutRule with EventPattern is not served";
    check(m, "PutRule", pattern, refused).await;
    let none = "ValidationException: Parameter(s) EventPattern or ScheduleExpression must be \
                specified.";
    check(m, "PutRule", json!({ "Name": "x" }), none).await;
    let bus = "ResourceNotFoundException: Event bus mine does not exist.";
    check(m, "PutRule", rule(json!({ "EventBusName": "mine" })), bus).await;
    let name = "ValidationException: 1 validation error detected: Value 'a b' at 'name' failed to \
                satisfy constraint: Member must satisfy regular expression pattern: \
                [\\.\\-_A-Za-z0-9]+";
    check(m, "PutRule", rule(json!({ "Name": "a b" })), name).await;

    let target = |more: Value| {
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:f";
        let mut target = json!({ "Id": "t", "Arn": arn });
        target.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "Rule": "r", "Targets": [target] })
    };
    for member in ["InputPath", "InputTransformer", "DeadLetterConfig", "RetryPolicy"] {
        let refused = format!("NotImplemented: events.PutTargets with {member} is not served");
        check(m, "PutTargets", target(json!({ member: { "A": "b" } })), &refused).await;
    }
    let arn = "ValidationException: Provided Arn is not in correct format.";
    check(m, "PutTargets", target(json!({ "Arn": "function" })), arn).await;
    let kinesis = json!({ "Arn": "arn:aws:kinesis:us-east-1:000000000000:stream/s" });
    let refused = "NotImplemented: kinesis as a target of rules is not served";
    check(m, "PutTargets", target(kinesis), refused).await;
    let syntax = "ValidationException: JSON syntax error in input for target t.";
    check(m, "PutTargets", target(json!({ "Input": "{" })), syntax).await;
    let queue = |name: &str, sqs: Value| {
        let arn = format!("arn:aws:sqs:us-east-1:000000000000:{name}");
        target(json!({ "Arn": arn, "SqsParameters": sqs }))
    };
    let group = "ValidationException: Parameter(s) SqsParameters must be specified for target: t.";
    check(m, "PutTargets", queue("q.fifo", Value::Null), group).await;
    check(m, "PutTargets", queue("q.fifo", json!({})), group).await;
    let other = "NotImplemented: SqsParameters of what is no FIFO queue is not served";
    check(m, "PutTargets", queue("q", json!({ "MessageGroupId": "g" })), other).await;
    let sqs = json!({ "SqsParameters": { "MessageGroupId": "g" } });
    check(m, "PutTargets", target(sqs), other).await;
    let none = "ResourceNotFoundException: Rule none does not exist on EventBus default.";
    let mut elsewhere = target(json!({}));
    elsewhere["Rule"] = "none".into();
    check(m, "PutTargets", elsewhere, none).await;
    let many: Vec<Value> = (0..6)
        .map(|i| json!({ "Id": i.to_string(), "Arn": "arn:aws:sqs:us-east-1:000000000000:q" }))
        .collect();
    let limit = "LimitExceededException: The requested resource exceeds the maximum number \
                 allowed.";
    check(m, "PutTargets", json!({ "Rule": "r", "Targets": many }), limit).await;
}

#[tokio::test]
async fn targets_are_replaced_by_id_listed_and_removed() {
    let m = &Machine::new().await;
    m.rule("r", "rate(1 day)", &[]).await;
    let put = |id: &str, input: &str| {
        let arn = "arn:aws:sqs:us-east-1:000000000000:q.fifo";
        let sqs = json!({ "MessageGroupId": "g" });
        let target = json!({ "Id": id, "Arn": arn, "Input": input, "SqsParameters": sqs });
        json!({ "Rule": "r", "Targets": [target] })
    };
    let done = r#"{"FailedEntryCount":0,"FailedEntries":[]}"#;
    check(m, "PutTargets", put("b", "1"), done).await;
    check(m, "PutTargets", put("a", "2"), done).await;
    check(m, "PutTargets", put("b", "3"), done).await;
    let listed = |id: &str, input: &str| {
        let arn = "arn:aws:sqs:us-east-1:000000000000:q.fifo";
        let sqs = json!({ "MessageGroupId": "g" });
        json!({ "Id": id, "Arn": arn, "Input": input, "SqsParameters": sqs })
    };
    let all = json!({ "Targets": [listed("a", "2"), listed("b", "3")] }).to_string();
    check(m, "ListTargetsByRule", json!({ "Rule": "r" }), &all).await;
    let first = json!({ "Targets": [listed("a", "2")], "NextToken": "a" }).to_string();
    check(m, "ListTargetsByRule", json!({ "Rule": "r", "Limit": 1 }), &first).await;
    let second = json!({ "Targets": [listed("b", "3")] }).to_string();
    let page = json!({ "Rule": "r", "Limit": 1, "NextToken": "a" });
    check(m, "ListTargetsByRule", page, &second).await;

    let failed = concat!(
        r#"{"FailedEntryCount":1,"FailedEntries":[{"TargetId":"x","#,
        r#""ErrorCode":"ResourceNotFoundException","#,
        r#""ErrorMessage":"Target x does not exist on rule r."}]}"#,
    );
    check(m, "RemoveTargets", json!({ "Rule": "r", "Ids": ["a", "x", "b"] }), failed).await;
    check(m, "ListTargetsByRule", json!({ "Rule": "r" }), r#"{"Targets":[]}"#).await;
}
