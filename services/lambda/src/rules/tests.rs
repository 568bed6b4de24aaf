use super::*;

fn config(json: &str) -> Result<Config, Error> {
    let input: ConfigInput = serde_json::from_str(json).unwrap();
    new_config(&input, None)
}

const BASIC: &str =
    r#""Runtime":"nodejs20.x","Handler":"index.handler","Role":"arn:aws:iam::000000000000:role/r""#;

#[test]
fn a_configuration_has_defaults_and_limits() {
    let made = config(&format!("{{{BASIC}}}")).unwrap();
    assert_eq!((made.timeout_secs, made.memory_mb, made.ephemeral_mb), (3, 128, 512));
    assert_eq!(made.architecture, "x86_64");
    let check = |more: &str, expected: &str| {
        let error = config(&format!("{{{BASIC},{more}}}")).unwrap_err();
        let kit: kit::Error = error.into();
        assert!(kit.to_string().contains(expected), "{more}: {kit}");
    };
    check(r#""Timeout":901"#, "Member must have value less than or equal to 900");
    check(r#""Timeout":0"#, "Value '0' at 'timeout' failed to satisfy constraint");
    check(r#""Timeout":-9223372036854775808"#, "greater than or equal to 1");
    check(r#""MemorySize":10241"#, "less than or equal to 10240");
    check(r#""EphemeralStorage":{"Size":511}"#, "greater than or equal to 512");
    check(r#""Environment":{"Variables":{"1A":"x"}}"#, "Map keys must satisfy");
    check(
        r#""Environment":{"Variables":{"AWS_REGION":"x","_HANDLER":"y"}}"#,
        "_HANDLER, AWS_REGION",
    );
    check(r#""DeadLetterConfig":{"TargetArn":"queue"}"#, "Invalid ARN: queue");
    check(r#""TracingConfig":{"Mode":"Active"}"#, "TracingConfig.Mode Active is not served");
    check(r#""LoggingConfig":{"LogFormat":"JSON"}"#, "LogFormat JSON is not served");
    check(r#""SnapStart":{"ApplyOn":"PublishedVersions"}"#, "SnapStart.ApplyOn");
    let secret = format!(r#""Environment":{{"Variables":{{"KEY":"{}"}}}}"#, "s".repeat(4096));
    check(&secret, "exceeded the 4KB limit");
    let full =
        format!(r#"{{{BASIC},"Environment":{{"Variables":{{"KEY":"{}"}}}}}}"#, "s".repeat(4093));
    assert!(config(&full).is_ok());
    for role in ["r", "arn:aws:iam::1:role/r", "arn:aws:iam::000000000000:role/", "arn:aws:s3:::x"]
    {
        let text = format!(r#"{{"Runtime":"nodejs20.x","Handler":"a.b","Role":"{role}"}}"#);
        assert!(config(&text).unwrap_err().to_string().contains("at 'role'"), "{role}");
    }
    let none = config(r#"{"Role":"arn:aws:iam::000000000000:role/r"}"#).unwrap_err();
    assert!(none.to_string().starts_with("Runtime and Handler are mandatory"), "{none}");
    let odd = r#"{"Runtime":"cobol85","Handler":"a.b","Role":"arn:aws:iam::000000000000:role/r"}"#;
    assert!(config(odd).unwrap_err().to_string().starts_with("Value cobol85 at 'runtime'"));
}

#[test]
fn an_update_leaves_what_it_does_not_name() {
    let before =
        config(&format!(r#"{{{BASIC},"Timeout":9,"Environment":{{"Variables":{{"AB":"1"}}}}}}"#));
    let change: ConfigInput = serde_json::from_str(r#"{"MemorySize":256}"#).unwrap();
    let after = changed_config(before.unwrap(), &change).unwrap();
    assert_eq!((after.timeout_secs, after.memory_mb), (9, 256));
    assert_eq!(after.environment["AB"], "1");
    let clear: ConfigInput = serde_json::from_str(r#"{"Environment":{}}"#).unwrap();
    assert!(changed_config(after, &clear).unwrap().environment.is_empty());
}

#[test]
fn a_mapping_s_settings_must_agree() {
    let mapping = |queue: &str| Mapping {
        uuid: "u".into(),
        source: format!("arn:aws:sqs:us-east-1:000000000000:{queue}").parse().unwrap(),
        function: "arn:aws:lambda:us-east-1:000000000000:function:pay".parse().unwrap(),
        enabled: true,
        batch_size: 10,
        window_secs: 0,
        report_failures: false,
        concurrency_max: None,
        modified: base::Time::default(),
    };
    let check = |queue: &str, json: &str, expected: Option<&str>| {
        let settings: MappingSettings = serde_json::from_str(json).unwrap();
        let error = set_mapping(&mut mapping(queue), &settings).err().map(|e| e.to_string());
        match expected {
            None => assert_eq!(error, None, "{json}"),
            Some(text) => assert!(error.as_ref().is_some_and(|e| e.contains(text)), "{error:?}"),
        }
    };
    check("q", "{}", None);
    check("q", r#"{"BatchSize":10000,"MaximumBatchingWindowInSeconds":1}"#, None);
    check("q", r#"{"BatchSize":11}"#, Some("must be greater than 0"));
    check("q", r#"{"BatchSize":0}"#, Some("at 'batchSize'"));
    check("q", r#"{"BatchSize":10001,"MaximumBatchingWindowInSeconds":1}"#, Some("10000"));
    check("q", r#"{"MaximumBatchingWindowInSeconds":301}"#, Some("300"));
    check("q", r#"{"ScalingConfig":{"MaximumConcurrency":1}}"#, Some("equal to 2"));
    check("q", r#"{"ScalingConfig":{}}"#, None);
    check("q", r#"{"FunctionResponseTypes":["ReportBatchItemFailures"]}"#, None);
    check("q", r#"{"FunctionResponseTypes":["Other"]}"#, Some("enum value set"));
    check("q.fifo", r#"{"BatchSize":10}"#, None);
    check("q.fifo", r#"{"BatchSize":11,"MaximumBatchingWindowInSeconds":1}"#, Some("FIFO"));
}

#[test]
fn a_partial_answer_is_read_as_lambda_reads_it() {
    let ids = ["a", "b", "c"];
    let some = |failed: &[&'static str]| Failures::Some(failed.iter().copied().collect());
    let check = |answer: &str, expected: Failures| {
        assert_eq!(batch_failures(answer.as_bytes(), &ids), expected, "{answer}");
    };
    // SEMANTICS 1.5: all succeeded.
    for answer in ["", "null", "{}", r#"{"batchItemFailures":[]}"#, r#"{"batchItemFailures":null}"#]
    {
        check(answer, some(&[]));
    }
    check(r#"{"other":1}"#, some(&[]));
    check(r#"{"batchItemFailures":[{"itemIdentifier":"b"}]}"#, some(&["b"]));
    let item = |id: &str| format!(r#"{{"itemIdentifier":"{id}"}}"#);
    let three = [item("c"), item("a"), item("c")].join(",");
    check(&format!(r#"{{"batchItemFailures":[{three}]}}"#), some(&["a", "c"]));
    // The whole batch failed.
    for answer in [
        "{",
        "\"ok\"",
        "7",
        r#"{"batchItemFailures":"b"}"#,
        r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#,
        r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#,
        r#"{"batchItemFailures":[{}]}"#,
        r#"{"batchItemFailures":[{"id":"a"}]}"#,
        r#"{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":"x"}]}"#,
    ] {
        check(answer, Failures::All);
    }
}
