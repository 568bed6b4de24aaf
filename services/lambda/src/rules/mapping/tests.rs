use super::*;

#[test]
fn a_mapping_s_settings_must_agree() {
    let check = |queue: &str, json: &str, expected: Option<&str>| {
        let settings: MappingSettings = serde_json::from_str(json).unwrap();
        let error = set(&mut Mapping::of_queue(queue), &settings).err().map(|e| e.to_string());
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

#[test]
fn a_queue_s_terms_are_judged() {
    let mapping = Mapping::of_queue("q");
    let advice = |lease, receives_max| {
        let terms = Terms { lease: Duration::from_secs(lease), receives_max };
        advice(&terms, &mapping, 5).len()
    };
    assert_eq!(advice(30, None), 0);
    assert_eq!(advice(30, Some(5)), 0);
    assert_eq!(advice(29, None), 1);
    assert_eq!(advice(29, Some(4)), 2);
}
