use super::*;

/// Bytes once written are read for ever, and the same value is still written as the same bytes.
macro_rules! check {
    ($record:expr, $file:literal) => {
        check($record, include_bytes!(concat!("../../tests/fixtures/", $file)), $file)
    };
}

fn check<R: Record + PartialEq + std::fmt::Debug>(record: &R, stored: &[u8], file: &str) {
    let key = Key::from_bytes(file.to_owned());
    assert_eq!(store::decode::<R>(&key, stored).unwrap(), *record);
    assert_eq!(store::encode(record).unwrap(), stored);
}

fn arn(resource: &str) -> Arn {
    format!("arn:aws:lambda:us-east-1:000000000000:{resource}").parse().unwrap()
}

#[test]
fn functions_are_read_as_they_were_written() {
    let credentials = Credentials {
        access_key: "ASIAX".into(),
        secret_key: "secret".into(),
        session_token: "token".into(),
    };
    let config = Config {
        runtime: "nodejs20.x".into(),
        handler: "index.handler".into(),
        role: "arn:aws:iam::000000000000:role/r".parse().unwrap(),
        description: String::new(),
        timeout_secs: 3,
        memory_mb: 128,
        ephemeral_mb: 512,
        environment: BTreeMap::from([("AB".into(), "1".into())]),
        architecture: "x86_64".into(),
        dead_letter: None,
        log_group: Some("/g".into()),
        layers: Vec::new(),
    };
    let function = Function {
        name: "pay".into(),
        config,
        code: Code { sha256: [7; 32], size: 3, zip: Body::Inline("zip".into()) },
        credentials,
        tags: BTreeMap::from([("k".into(), "v".into())]),
        modified: Time::from_millis(1_793_491_200_000),
        revision: "r1".into(),
        permitted: None,
        version: Version::Latest,
        version_last: 0,
        base: None,
    };
    check!(&function, "function.v1");
    let version = Function {
        permitted: Some("r3".into()),
        version: Version::Number(7),
        version_last: 9,
        base: Some("r0".into()),
        config: Config {
            layers: vec![LayerUse { arn: arn("layer:lib:3"), size: 3 }],
            ..function.config.clone()
        },
        ..function
    };
    check!(&version, "version.v1");
    let alias = Alias {
        name: "live".into(),
        version: Version::Number(1),
        description: "d".into(),
        weights: BTreeMap::from([(Version::Number(2), 0.25)]),
        revision: "r1".into(),
    };
    check!(&alias, "alias.v1");
}

#[test]
fn other_records_are_read_as_they_were_written() {
    let layer_version = LayerVersion {
        layer: "lib".into(),
        number: 3,
        description: "d".into(),
        license: Some("MIT".into()),
        runtimes: vec!["nodejs20.x".into()],
        architectures: vec!["arm64".into()],
        code: Code { sha256: [8; 32], size: 3, zip: Body::Inline("zip".into()) },
        policy: Policy::default(),
        created: Time::from_millis(1_793_491_200_000),
        deleted: true,
    };
    check!(&layer_version, "layer-version.v1");
    check!(&Layer { version_last: 3 }, "layer.v1");
    let reserved = Reserved { function: arn("function:pay"), count: 5 };
    check!(&reserved, "reserved.v1");
    let provisioned = Provisioned {
        target: arn("function:pay:live"),
        count: 5,
        modified: Time::from_millis(1_793_491_200_000),
    };
    check!(&provisioned, "provisioned.v1");
    let event_config = EventConfig {
        target: arn("function:pay:$LATEST"),
        retries: Some(1),
        age_secs: Some(60),
        on_success: None,
        on_failure: Some("arn:aws:sqs:us-east-1:000000000000:q".parse().unwrap()),
        modified: Time::from_millis(1_793_491_200_000),
    };
    check!(&event_config, "event-config.v1");
    let url = Url {
        id: "0123".into(),
        target: arn("function:pay:live"),
        signed: true,
        streams: false,
        cors: Some(UrlCors { max_age: Some(9), ..UrlCors::default() }),
        created: Time::from_millis(1_793_491_200_000),
        modified: Time::from_millis(1_793_491_200_001),
    };
    check!(&url, "url.v1");
    check!(&UrlName { target: arn("function:pay:live") }, "url-name.v1");
    check!(&Recursion { allowed: true }, "recursion.v1");
    let updates = RuntimeUpdates { mode: "Manual".into(), runtime_version: Some("v".into()) };
    check!(&updates, "runtime-updates.v1");
}

#[test]
fn older_records_are_read_as_they_were_written() {
    let credential = Credential { function: arn("function:pay") };
    check!(&credential, "credential.v1");
    let policy = Policy {
        revision: "r1".into(),
        statements: BTreeMap::from([("s".into(), r#"{"Sid":"s"}"#.into())]),
    };
    check!(&policy, "policy.v1");
    let mapping = Mapping {
        uuid: "u".into(),
        source: "arn:aws:sqs:us-east-1:000000000000:q".parse().unwrap(),
        function: arn("function:pay"),
        enabled: true,
        batch_size: 10,
        window_secs: 5,
        report_failures: true,
        concurrency_max: Some(2),
        modified: Time::from_millis(1_793_491_200_000),
        filters: Vec::new(),
        pollers: None,
        tags: BTreeMap::new(),
        reading: None,
    };
    check!(&mapping, "mapping.v1");
    let mapping = Mapping {
        concurrency_max: None,
        filters: vec![r#"{"body":{"a":[1]}}"#.into()],
        pollers: Some(Pollers { min: 2, max: 9 }),
        tags: BTreeMap::from([("k".into(), "v".into())]),
        ..mapping
    };
    check!(&mapping, "mapping-filters.v1");
    let reading = Reading {
        start: 7,
        lanes: 2,
        retries_max: Some(3),
        age_secs_max: Some(60),
        bisect: true,
        tumbling_secs: 30,
        on_failure: Some("arn:aws:sqs:us-east-1:000000000000:q".parse().unwrap()),
        followed: Some("arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/1".parse().unwrap()),
        superseded: false,
    };
    check!(&Mapping { reading: Some(reading), ..mapping }, "mapping-stream.v1");
    let state = Body::Inline("{}".into());
    let window = Some(Window { start: 1_793_491_200, secs: 30, state });
    check!(&Checkpoint { next: 7, lanes: 2, processed: true, window }, "checkpoint.v1");
    let event = AsyncInvoke {
        function: arn("function:pay"),
        payload: Body::Inline("{}".into()),
        request_id: "id".into(),
        client_context: None,
        trace: None,
        created: Time::from_millis(1_793_491_200_000),
        failures: 1,
        throttles: 2,
    };
    check!(&event, "event.v1");
    let event = AsyncInvoke { trace: Some("Root=1".into()), ..event };
    check!(&event, "event-trace.v1");
}
