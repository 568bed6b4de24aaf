use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::machine::{Machine, QUEUE, create, package};

fn one(name: &str) -> Value {
    json!({ "FunctionName": name })
}

#[tokio::test]
async fn a_function_is_made_described_and_deleted() {
    let m = &Machine::new().await;
    let more = json!({ "Description": "pays", "Tags": { "team": "orders" } });
    let made = m.function("pay", more).await;
    let zip = BASE64_STANDARD.decode(package("exports.handler = async (event) => event")).unwrap();
    let expected = json!({
        "FunctionName": "pay",
        "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:pay",
        "Runtime": "nodejs20.x",
        "Role": "arn:aws:iam::000000000000:role/r",
        "Handler": "index.handler",
        "CodeSize": zip.len(),
        "Description": "pays",
        "Timeout": 3,
        "MemorySize": 128,
        "LastModified": "2026-11-01T00:00:00.000+0000",
        "CodeSha256": BASE64_STANDARD.encode(Sha256::digest(&zip)),
        "Version": "$LATEST",
        "TracingConfig": { "Mode": "PassThrough" },
        "RevisionId": made["RevisionId"],
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        "EphemeralStorage": { "Size": 512 },
        "SnapStart": { "ApplyOn": "None", "OptimizationStatus": "Off" },
        "LoggingConfig": { "LogFormat": "Text", "LogGroup": "/aws/lambda/pay" },
    });
    assert_eq!(made, expected);
    assert_eq!(m.call("GetFunctionConfiguration", one("pay")).await.unwrap(), expected);
    let got = m.call("GetFunction", one("function:pay")).await.unwrap();
    let location = got["Code"]["Location"].as_str().unwrap();
    let token = location.strip_prefix("http://localhost:4566/_aws/lambda-package/").unwrap();
    let code = json!({ "RepositoryType": "S3", "Location": location });
    let functions = m.kit.functions().unwrap();
    assert_eq!(functions.download(token).await.unwrap().unwrap(), zip);
    assert_eq!(functions.download("other").await.unwrap(), None);
    m.pass(std::time::Duration::from_secs(600)).await;
    assert_eq!(functions.download(token).await.unwrap(), None);
    let tags = json!({ "team": "orders" });
    assert_eq!(got, json!({ "Configuration": expected, "Code": code, "Tags": tags }));

    let again = m.call("CreateFunction", create("pay", json!({}))).await.unwrap_err();
    assert_eq!(again, "ResourceConflictException: Function already exist: pay");
    assert_eq!(m.call("DeleteFunction", one("pay")).await, Ok(json!({})));
    let none = "ResourceNotFoundException: Function not found: \
                arn:aws:lambda:us-east-1:000000000000:function:pay";
    for operation in ["GetFunction", "GetFunctionConfiguration", "DeleteFunction"] {
        assert_eq!(m.call(operation, one("pay")).await.unwrap_err(), none, "{operation}");
    }
}

#[tokio::test]
async fn statuses_are_those_of_the_rest_protocol() {
    let m = &Machine::new().await;
    let body = create("pay", json!({})).to_string();
    let functions = "/2015-03-31/functions";
    let made = m.http(Method::POST, functions, &[], &body).await.unwrap();
    assert_eq!(made.status, 201);
    let path = "/2015-03-31/functions/pay";
    assert_eq!(m.http(Method::GET, path, &[], "").await.unwrap().status, 200);
    assert_eq!(m.http(Method::DELETE, path, &[], "").await.unwrap().status, 204);
    let gone = m.http(Method::GET, path, &[], "").await.err().unwrap();
    assert_eq!((gone.status, gone.extra.as_deref()), (404, Some(&json!({ "Type": "User" }))));
}

#[tokio::test]
async fn after_an_update_s_reply_the_new_revision_runs() {
    let m = &Machine::new().await;
    let made = m.function("pay", json!({})).await;
    m.script.play(|spec, _| {
        let code = std::fs::read_to_string(spec.code.join("index.js")).unwrap();
        let text = format!("{code} {} {}", spec.env.len(), spec.timeout.as_secs());
        Ok(crate::machine::answer(json!(text).to_string().as_bytes()))
    });
    let run = async || {
        let path = "/2015-03-31/functions/pay/invocations";
        let reply = m.http(Method::POST, path, &[], "{}").await.unwrap();
        serde_json::from_slice::<String>(&reply.body).unwrap()
    };
    assert_eq!(run().await, "exports.handler = async (event) => event 0 3");
    m.script.taken();

    let update = json!({ "FunctionName": "pay", "ZipFile": package("new code") });
    let mut dry = update.clone();
    dry["DryRun"] = true.into();
    let tried = m.call("UpdateFunctionCode", dry).await.unwrap();
    assert_ne!(tried["CodeSha256"], made["CodeSha256"]);
    assert_eq!(tried["RevisionId"], made["RevisionId"]);
    assert_eq!(run().await, "exports.handler = async (event) => event 0 3");
    let updated = m.call("UpdateFunctionCode", update.clone()).await.unwrap();
    assert_eq!(updated["CodeSha256"], tried["CodeSha256"]);
    assert_eq!(run().await, "new code 0 3");
    let log = m.script.taken();
    assert_eq!(log[1..], ["retire function:pay keep one", "0 pay {}"]);

    let change = json!({
        "FunctionName": "pay",
        "Timeout": 9,
        "Environment": { "Variables": { "AB": "1" } },
        "RevisionId": updated["RevisionId"],
    });
    let changed = m.call("UpdateFunctionConfiguration", change.clone()).await.unwrap();
    assert_eq!(changed["Environment"], json!({ "Variables": { "AB": "1" } }));
    assert_eq!(run().await, "new code 1 9");
    let stale = m.call("UpdateFunctionConfiguration", change).await.unwrap_err();
    let text = "PreconditionFailedException: The Revision Id provided does not match the latest \
                Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id";
    assert_eq!(stale, text);
    let mut stale = update;
    stale["RevisionId"] = made["RevisionId"].clone();
    assert_eq!(m.call("UpdateFunctionCode", stale).await.unwrap_err(), text);
}

#[tokio::test]
async fn a_restart_finds_everything_and_unpacks_again() {
    let engine = std::sync::Arc::new(engine_memory::Memory::new());
    let blobs = store::Blobs::memory();
    let before = Machine::on(engine.clone(), blobs.clone(), crate::START).await;
    // Larger than what fits into a record.
    let noise: String =
        (0..40_000_u32).map(|i| format!("{:x}", i.wrapping_mul(2_654_435_761))).collect();
    let code = json!({ "Code": { "ZipFile": package(&noise) } });
    let made = before.function("pay", code).await;
    before.kit.close();
    let after = Machine::on(engine, blobs, crate::START).await;
    assert_eq!(after.call("GetFunctionConfiguration", one("pay")).await.unwrap(), made);
    let expected = noise.len();
    after.script.play(move |spec, _| {
        let code = std::fs::metadata(spec.code.join("index.js")).unwrap();
        assert_eq!(code.len(), expected as u64);
        Ok(crate::machine::answer(b"1"))
    });
    let path = "/2015-03-31/functions/pay/invocations";
    assert_eq!(after.http(Method::POST, path, &[], "").await.unwrap().body, "1");
}

#[tokio::test]
async fn pages_and_usage() {
    let m = &Machine::new().await;
    for name in ["c", "a", "b"] {
        m.function(name, json!({})).await;
    }
    let page = m.call("ListFunctions", json!({ "MaxItems": 2 })).await.unwrap();
    let names = |page: &Value| {
        let all = page["Functions"].as_array().unwrap().iter();
        all.map(|f| f["FunctionName"].as_str().unwrap()).collect::<String>()
    };
    assert_eq!((names(&page).as_str(), &page["NextMarker"]), ("ab", &json!("b")));
    let last = m.call("ListFunctions", json!({ "Marker": "b", "MaxItems": 2 })).await.unwrap();
    assert_eq!((names(&last).as_str(), &last["NextMarker"]), ("c", &Value::Null));
    let settings = m.call("GetAccountSettings", json!({})).await.unwrap();
    assert_eq!(settings["AccountUsage"]["FunctionCount"], 3);
}

#[tokio::test]
async fn what_is_not_served_or_not_valid_is_refused() {
    let m = &Machine::new().await;
    let check = async |more: Value, expected: &str| {
        let error = m.call("CreateFunction", create("x", more.clone())).await.unwrap_err();
        assert!(error.starts_with(expected), "{more}: {error}");
    };
    for (member, given) in [
        ("VpcConfig", json!({ "SubnetIds": ["subnet-1"] })),
        ("FileSystemConfigs", json!([{ "Arn": "a" }])),
        ("KMSKeyArn", json!("arn:aws:kms:us-east-1:000000000000:key/k")),
        ("RuntimeConfig", json!({ "x": 1 })),
        ("AcceleratorConfig", json!({ "x": 1 })),
        ("ImageConfig", json!({ "Command": ["x"] })),
    ] {
        let refused = format!("NotImplemented: lambda.CreateFunction with {member} is not served");
        check(json!({ member: given }), &refused).await;
    }
    let bucket = json!({ "Code": { "S3Bucket": "b", "S3Key": "k" } });
    check(bucket, "NotImplemented: lambda.CreateFunction with Code.S3Bucket").await;
    check(json!({ "PackageType": "Image" }), "NotImplemented: lambda: PackageType Image").await;
    check(json!({ "Runtime": "ruby3.3" }), "InvalidParameterValueException: runtime ruby3.3").await;
    check(json!({ "Code": {} }), "InvalidParameterValueException: Please provide a source").await;
    let text = json!({ "Code": { "ZipFile": BASE64_STANDARD.encode("no zip") } });
    check(text, "InvalidParameterValueException: Could not unzip uploaded file").await;
    let long = json!({ "FunctionName": "n".repeat(65) });
    check(long, "ValidationException: 1 validation error detected").await;
    let letter = json!({ "DeadLetterConfig": { "TargetArn": "arn:aws:kinesis:us-east-1:1:s" } });
    check(letter, "NotImplemented: lambda: kinesis as a dead-letter target").await;
    let letter = json!({ "DeadLetterConfig": { "TargetArn": format!("{QUEUE}.fifo") } });
    check(letter, "InvalidParameterValueException: The provided DLQ ARN arn:aws:sqs:").await;
    // What says nothing asks for what happens anyway.
    let empty = json!({ "VpcConfig": { "SubnetIds": [] }, "Layers": [], "Publish": false });
    m.function("x", empty).await;
}

#[tokio::test]
async fn tags_are_kept_with_the_function() {
    let m = &Machine::new().await;
    let made = m.function("pay", json!({})).await;
    let arn = made["FunctionArn"].clone();
    let add = json!({ "Resource": arn, "Tags": { "a": "1", "b": "2" } });
    m.call("TagResource", add).await.unwrap();
    m.call("UntagResource", json!({ "Resource": arn, "TagKeys": ["a"] })).await.unwrap();
    let tags = m.call("ListTags", json!({ "Resource": arn })).await.unwrap();
    assert_eq!(tags, json!({ "Tags": { "b": "2" } }));
    let version = format!("{}:1", arn.as_str().unwrap());
    let error = m.call("ListTags", json!({ "Resource": version })).await.unwrap_err();
    assert!(error.contains("Tags on function aliases and versions are not supported"), "{error}");
    let many: serde_json::Map<String, Value> =
        (0..51).map(|i| (i.to_string(), json!("x"))).collect();
    let refused = m.call("TagResource", json!({ "Resource": arn, "Tags": many })).await;
    assert!(refused.unwrap_err().starts_with("InvalidParameterValueException: At most 50 tags"));
}

#[tokio::test]
async fn credentials_stand_for_the_function_until_it_is_deleted() {
    let m = &Machine::new().await;
    m.function("pay", json!({})).await;
    let keys = std::sync::Arc::new(std::sync::Mutex::new(None));
    let seen = keys.clone();
    m.script.play(move |spec, _| {
        *seen.lock().unwrap() = Some(spec.credentials.clone());
        Ok(crate::machine::answer(b"1"))
    });
    m.http(Method::POST, "/2015-03-31/functions/pay/invocations", &[], "").await.unwrap();
    let given = keys.lock().unwrap().clone().unwrap();
    let lookup = async |key: &str| service_lambda::credentials::lookup(&m.kit, key).await.unwrap();
    let signer = lookup(&given.access_key).await.unwrap();
    assert_eq!((signer.secret_key, signer.session_token), (given.secret, given.token));
    let session = "arn:aws:sts::000000000000:assumed-role/r/pay";
    assert_eq!(signer.caller.arn.to_string(), session);
    assert!(lookup("ASIAAAAAAAAAAAAAAAAA").await.is_none());
    assert!(lookup("test").await.is_none());
    m.call("DeleteFunction", one("pay")).await.unwrap();
    assert!(lookup(&given.access_key).await.is_none());
}
