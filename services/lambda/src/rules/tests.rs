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
