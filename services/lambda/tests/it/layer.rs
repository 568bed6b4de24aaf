use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::machine::{Machine, answer, create, package};

const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:layer";

fn with(mut input: Value, more: Value) -> Value {
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

async fn publish(m: &Machine, name: &str, code: &str, more: Value) -> Value {
    let input = json!({ "LayerName": name, "Content": { "ZipFile": package(code) } });
    m.call("PublishLayerVersion", with(input, more)).await.unwrap()
}

fn version(name: &str, number: i64) -> Value {
    json!({ "LayerName": name, "VersionNumber": number })
}

/// Makes the function `pay` tell what it finds in its layers.
fn tell_layers(m: &Machine) {
    m.script.play(|spec, _| {
        let read =
            |layer: &std::path::PathBuf| std::fs::read_to_string(layer.join("index.js")).unwrap();
        Ok(answer(spec.layers.iter().map(read).collect::<Vec<_>>().join(" ").as_bytes()))
    });
}

async fn run(m: &Machine, name: &str) -> String {
    let path = format!("/2015-03-31/functions/{name}/invocations");
    let reply = m.http(Method::POST, &path, &[], "{}").await.unwrap();
    String::from_utf8(reply.body.to_vec()).unwrap()
}

#[tokio::test]
async fn a_layer_is_published_described_and_deleted() {
    let m = &Machine::new().await;
    let more = json!({
        "Description": "d",
        "LicenseInfo": "MIT",
        "CompatibleRuntimes": ["nodejs20.x"],
        "CompatibleArchitectures": ["arm64"],
    });
    let mut made = publish(m, "lib", "a", more).await;
    let location = made["Content"]["Location"].take();
    let token = location.as_str().unwrap().rsplit('/').next().unwrap();
    let fetched = m.kit.functions().unwrap().download(token).await.unwrap().unwrap();
    let zip = BASE64_STANDARD.decode(package("a")).unwrap();
    assert_eq!(fetched, zip);
    let content = json!({
        "Location": null,
        "CodeSha256": BASE64_STANDARD.encode(Sha256::digest(&zip)),
        "CodeSize": zip.len(),
    });
    let expected = json!({
        "Content": content,
        "LayerArn": format!("{ARN}:lib"),
        "LayerVersionArn": format!("{ARN}:lib:1"),
        "Version": 1,
        "Description": "d",
        "CreatedDate": "2026-11-01T00:00:00.000+0000",
        "CompatibleRuntimes": ["nodejs20.x"],
        "CompatibleArchitectures": ["arm64"],
        "LicenseInfo": "MIT",
    });
    assert_eq!(made, expected);
    let get = async |input: Value| {
        let mut got = m.call("GetLayerVersion", input).await.unwrap();
        got["Content"]["Location"].take();
        got
    };
    assert_eq!(get(version("lib", 1)).await, expected);
    assert_eq!(get(version(&format!("{ARN}:lib"), 1)).await, expected);
    let path = format!("/2018-10-31/layers?find=LayerVersion&Arn={ARN}:lib:1");
    let by_arn = m.http(Method::GET, &path, &[], "").await.unwrap();
    let mut by_arn: Value = serde_json::from_slice(&by_arn.body).unwrap();
    by_arn["Content"]["Location"].take();
    assert_eq!(by_arn, expected);

    for _ in 0..2 {
        m.call("DeleteLayerVersion", version("lib", 1)).await.unwrap();
    }
    let none = "ResourceNotFoundException: The resource you requested does not exist.";
    assert_eq!(m.call("GetLayerVersion", version("lib", 1)).await.unwrap_err(), none);
    // Its number is not given again.
    assert_eq!(publish(m, "lib", "b", json!({})).await["Version"], 2);
    m.pass(Duration::from_secs(1300)).await;
    assert_eq!(publish(m, "lib", "c", json!({})).await["Version"], 3);
}

#[tokio::test]
async fn layers_are_listed_by_what_they_fit() {
    let m = &Machine::new().await;
    let node = json!({ "CompatibleRuntimes": ["nodejs20.x"] });
    let arm = json!({
        "CompatibleRuntimes": ["nodejs20.x", "python3.12"], "CompatibleArchitectures": ["arm64"],
    });
    publish(m, "lib", "1", node.clone()).await;
    publish(m, "lib", "2", arm).await;
    publish(m, "lib", "3", json!({})).await;
    publish(m, "alone", "1", node).await;
    let list = async |query: &str| {
        let path = format!("/2018-10-31/layers?{query}");
        let reply = m.http(Method::GET, &path, &[], "").await.unwrap();
        let page: Value = serde_json::from_slice(&reply.body).unwrap();
        let text = |one: &Value| {
            let latest = &one["LatestMatchingVersion"]["Version"];
            format!("{}:{latest}", one["LayerName"].as_str().unwrap())
        };
        let all: Vec<_> = page["Layers"].as_array().unwrap().iter().map(text).collect();
        (all.join(" "), page["NextMarker"].clone())
    };
    assert_eq!(list("").await, ("alone:1 lib:3".to_owned(), Value::Null));
    assert_eq!(list("MaxItems=1").await, ("alone:1".to_owned(), json!("alone")));
    assert_eq!(list("Marker=alone").await.0, "lib:3");
    assert_eq!(list("CompatibleRuntime=nodejs20.x").await.0, "alone:1 lib:2");
    assert_eq!(list("CompatibleRuntime=python3.12").await.0, "lib:2");
    assert_eq!(list("CompatibleArchitecture=arm64").await.0, "lib:2");
    assert_eq!(list("CompatibleArchitecture=x86_64").await.0, "");

    let versions = async |more: Value| {
        let input = with(json!({ "LayerName": "lib" }), more);
        let page = m.call("ListLayerVersions", input).await.unwrap();
        let all = page["LayerVersions"].as_array().unwrap().iter();
        let all: Vec<_> = all.map(|one| one["Version"].to_string()).collect();
        (all.join(" "), page["NextMarker"].clone())
    };
    assert_eq!(versions(json!({})).await, ("3 2 1".to_owned(), Value::Null));
    assert_eq!(versions(json!({ "MaxItems": 2 })).await, ("3 2".to_owned(), json!("2")));
    assert_eq!(versions(json!({ "Marker": "2" })).await, ("1".to_owned(), Value::Null));
    assert_eq!(versions(json!({ "CompatibleRuntime": "nodejs20.x" })).await.0, "2 1");
    m.call("DeleteLayerVersion", version("lib", 2)).await.unwrap();
    assert_eq!(versions(json!({})).await.0, "3 1");
    let odd = json!({ "CompatibleArchitecture": "z80" });
    assert!(m.call("ListLayers", odd).await.unwrap_err().starts_with("ValidationException"));
}

#[tokio::test]
async fn a_function_runs_with_its_layers_even_deleted_ones() {
    let engine = std::sync::Arc::new(engine_memory::Memory::new());
    let blobs = store::Blobs::memory();
    let m = &Machine::on(engine.clone(), blobs.clone(), crate::START).await;
    publish(m, "one", "first", json!({})).await;
    publish(m, "two", "second", json!({})).await;
    tell_layers(m);
    let layers = json!({ "Layers": [format!("{ARN}:two:1"), format!("{ARN}:one:1")] });
    let made = m.function("pay", layers).await;
    let size = BASE64_STANDARD.decode(package("first")).unwrap().len();
    assert_eq!(made["Layers"][1], json!({ "Arn": format!("{ARN}:one:1"), "CodeSize": size }));
    assert_eq!(run(m, "pay").await, "second first");
    m.call("PublishVersion", json!({ "FunctionName": "pay" })).await.unwrap();

    m.call("DeleteLayerVersion", version("one", 1)).await.unwrap();
    // An update that says nothing about layers leaves them.
    let update = json!({ "FunctionName": "pay", "Timeout": 9 });
    m.call("UpdateFunctionConfiguration", update).await.unwrap();
    assert_eq!(run(m, "pay").await, "second first");
    let clear = json!({ "FunctionName": "pay", "Layers": [] });
    let cleared = m.call("UpdateFunctionConfiguration", clear).await.unwrap();
    assert_eq!(cleared["Layers"], Value::Null);
    assert_eq!(run(m, "pay").await, "");
    // The version keeps what it had, also after the sweep, also in another run.
    m.pass(Duration::from_secs(1300)).await;
    assert_eq!(run(m, "pay:1").await, "second first");
    m.kit.close();
    let after = &Machine::on(engine, blobs, m.kit.now()).await;
    tell_layers(after);
    assert_eq!(run(after, "pay:1").await, "second first");
}

#[tokio::test]
async fn layers_that_make_no_sense_are_refused() {
    let m = &Machine::new().await;
    for n in 0..6 {
        publish(m, &format!("l{n}"), "x", json!({})).await;
    }
    publish(m, "l0", "y", json!({})).await;
    let check = async |layers: &[&str], expected: &str| {
        let input = create("x", json!({ "Layers": layers }));
        let error = m.call("CreateFunction", input).await.unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    };
    let arn = |name: &str| format!("{ARN}:{name}");
    let parameter = "InvalidParameterValueException: ";
    check(&[&arn("l0:9")], &format!("{parameter}Layer version {ARN}:l0:9 does not exist.")).await;
    check(&[&arn("none:1")], &format!("{parameter}Layer version {ARN}:none:1 does not")).await;
    check(&[&arn("l0")], "ValidationException").await;
    check(&["l0:1"], "ValidationException").await;
    let both = format!("{parameter}Two different versions of the same layer are not allowed");
    check(&[&arn("l0:1"), &arn("l0:2")], &both).await;
    let six: Vec<String> = (0..6).map(|n| arn(&format!("l{n}:1"))).collect();
    let six: Vec<&str> = six.iter().map(String::as_str).collect();
    check(&six, &format!("{parameter}Cannot reference more than 5 layers.")).await;
    let elsewhere = ["arn:aws:lambda:eu-west-1:000000000000:layer:l0:1"];
    check(&elsewhere, &format!("{parameter}Layers are not in the same region")).await;
    let foreign = ["arn:aws:lambda:us-east-1:111111111111:layer:l0:1"];
    check(&foreign, "NotImplemented: lambda: a layer of another account").await;
    m.function("x", json!({ "Layers": &six[..5] })).await;

    let refused = async |more: Value, expected: &str| {
        let content = json!({ "LayerName": "l", "Content": { "ZipFile": package("x") } });
        let error = m.call("PublishLayerVersion", with(content, more)).await.unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    };
    let bucket = json!({ "Content": { "S3Bucket": "b", "S3Key": "k" } });
    refused(bucket, "NotImplemented: lambda.PublishLayerVersion with Content.S3Bucket").await;
    refused(json!({ "LayerName": "a b" }), "ValidationException").await;
    refused(json!({ "CompatibleRuntimes": ["cobol"] }), "ValidationException").await;
    refused(json!({ "CompatibleArchitectures": ["z80"] }), "ValidationException").await;
    refused(json!({ "LicenseInfo": "x".repeat(513) }), "ValidationException").await;
    refused(json!({ "Content": {} }), "InvalidParameterValueException").await;
    let zero = m.call("GetLayerVersion", version("l0", 0)).await.unwrap_err();
    assert_eq!(zero, format!("{parameter}Layer Version Cannot be less than 1"));
}

#[tokio::test]
async fn a_layer_s_policy_grows_is_read_and_shrinks() {
    let m = &Machine::new().await;
    publish(m, "lib", "x", json!({})).await;
    let add = |id: &str, more: Value| {
        let own = json!({
            "StatementId": id, "Action": "lambda:GetLayerVersion", "Principal": "123456789012",
        });
        with(with(version("lib", 1), own), more)
    };
    let none = "ResourceNotFoundException: No policy is associated with the given resource.";
    let get = async || m.call("GetLayerVersionPolicy", version("lib", 1)).await;
    assert_eq!(get().await.unwrap_err(), none);
    let added = m.call("AddLayerVersionPermission", add("one", json!({}))).await.unwrap();
    let statement: Value = serde_json::from_str(added["Statement"].as_str().unwrap()).unwrap();
    let expected = json!({
        "Sid": "one",
        "Effect": "Allow",
        "Principal": { "AWS": "arn:aws:iam::123456789012:root" },
        "Action": "lambda:GetLayerVersion",
        "Resource": format!("{ARN}:lib:1"),
    });
    assert_eq!(statement, expected);
    let policy = get().await.unwrap();
    assert_eq!(policy["RevisionId"], added["RevisionId"]);
    let organization = json!({ "Principal": "*", "OrganizationId": "o-abcdefghij" });
    m.call("AddLayerVersionPermission", add("all", organization)).await.unwrap();
    let check = async |input: Value, expected: &str| {
        let error = m.call("AddLayerVersionPermission", input).await.unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    };
    check(add("one", json!({})), "ResourceConflictException: The statement id (one)").await;
    let stale = json!({ "RevisionId": policy["RevisionId"] });
    let text = "PreconditionFailedException: The Revision Id provided does not match the latest \
                Revision Id. Call the GetLayerPolicy API";
    check(add("two", stale), text).await;
    check(add("two", json!({ "Action": "lambda:InvokeFunction" })), "ValidationException").await;
    check(add("two", json!({ "Principal": "me" })), "ValidationException").await;
    check(add("two", json!({ "OrganizationId": "o-1" })), "ValidationException").await;
    let missing = format!("ResourceNotFoundException: Layer version {ARN}:lib:2 does not exist.");
    check(add("two", json!({ "VersionNumber": 2 })), &missing).await;
    for id in ["one", "all"] {
        let input = with(version("lib", 1), json!({ "StatementId": id }));
        m.call("RemoveLayerVersionPermission", input).await.unwrap();
    }
    assert_eq!(get().await.unwrap_err(), none);
}
