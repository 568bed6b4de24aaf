//! What is logged, and in which order.

use serde_json::json;

use crate::world::{Function, World};

/// The first line of an environment without what differs between two machines.
fn version(text: &str) -> String {
    let Some((head, rest)) = text.split_once(".v") else { return text.to_owned() };
    let Some((_version, rest)) = rest.split_once("\tRuntime Version ARN: ") else {
        return text.to_owned();
    };
    let Some((arn, rest)) = rest.split_once('\t') else { return text.to_owned() };
    assert!(arn.starts_with("arn:aws:lambda:us-east-1::runtime:") && arn.len() == 98, "{arn}");
    format!("{head}.V\tRuntime Version ARN: ARN\t{rest}")
}

/// The lines with what differs between two runs replaced.
fn plain(texts: &[String]) -> Vec<String> {
    let id = "11111111-2222-4333-8444-555555555555";
    let plain = |text: &String| {
        let text = version(&text.replace(id, "ID"));
        match text.split_once("Z\t") {
            Some((time, rest)) if time.len() == 23 => format!("TIME\t{rest}"),
            _ => text.split("Duration").next().unwrap().trim_end().to_owned(),
        }
    };
    texts.iter().map(plain).collect()
}

#[tokio::test]
async fn lines_stand_between_start_and_report() {
    let world = World::new();
    let function = Function::js(
        "console.log('loading');
         exports.handler = async () => {
           console.log('a %s', 'b', { c: 1 }); console.error('two\\nlines');
           console.warn(new Map([[1, 2]])); console.debug(''); console.info(1n);
           process.stdout.write('raw\\nunended');
           require('child_process').spawnSync('echo', ['child'], { stdio: 'inherit' });
         }",
    );
    let invoked = world.try_invoke(&function, json!({})).await.unwrap();
    let lines = plain(&world.texts());
    let (console, raw): (Vec<_>, Vec<_>) = lines.into_iter().partition(|l| l.starts_with("TIME"));
    assert_eq!(
        console,
        [
            "TIME\tundefined\tINFO\tloading",
            "TIME\tID\tINFO\ta b { c: 1 }",
            "TIME\tID\tERROR\ttwo\nlines",
            "TIME\tID\tWARN\tMap(1) { 1 => 2 }",
            "TIME\tID\tDEBUG\t",
            "TIME\tID\tINFO\t1n",
        ]
    );
    assert_eq!(
        raw,
        [
            "INIT_START Runtime Version: nodejs:20.V\tRuntime Version ARN: ARN\t\
             Start: fresh process\tReason: there is no sandbox; no booted worker was left",
            "START RequestId: ID Version: $LATEST",
            "raw",
            "unendedchild",
            "END RequestId: ID",
            "REPORT RequestId: ID"
        ]
    );
    let tail = invoked.log_tail;
    assert!(
        tail.starts_with("START RequestId: ") && tail.contains("\tMax Memory Used: "),
        "{tail}"
    );
    assert!(tail.contains("Init Duration: "), "{tail}");
    let again = world.try_invoke(&function, json!({})).await.unwrap();
    assert!(!again.log_tail.contains("Init Duration"), "only the first event waits for loading");
    assert!(again.init_ms.is_none() && invoked.init_ms.is_some());
}

#[tokio::test]
async fn a_killed_worker_keeps_what_it_wrote() {
    let world = World::new();
    let function = Function::with(
        &[(
            "index.js",
            "exports.handler = () => {
               console.log('before');
               process.stdout.write('raw');
               for (;;);
             }",
        )],
        "index.handler",
        |spec| spec.timeout = std::time::Duration::from_millis(700),
    );
    world.try_invoke(&function, json!({})).await.unwrap();
    let lines = plain(&world.texts());
    assert!(lines[0].starts_with("INIT_START ") && lines[1].starts_with("START "), "{lines:?}");
    assert_eq!(lines[2], "TIME\tID\tINFO\tbefore");
    assert_eq!(lines[3], "raw");
    assert!(lines[4].ends_with(" ID Task timed out after 0.70 seconds"), "{lines:?}");
    assert_eq!(lines[5..], ["END RequestId: ID", "REPORT RequestId: ID"]);
    assert!(world.texts()[6].ends_with("\tStatus: timeout"), "{:?}", world.texts());
}

#[tokio::test]
async fn who_asked_sees_why_the_function_did_not_load() {
    let world = World::new();
    let function = Function::js("console.log('loading'); throw new Error('bad')");
    let tail = world.try_invoke(&function, json!({})).await.unwrap().log_tail;
    let parts = ["INFO\tloading", "ERROR\tUncaught Exception \t{", "START RequestId", "REPORT"];
    let places: Vec<Option<usize>> = parts.iter().map(|part| tail.find(part)).collect();
    assert!(places.is_sorted() && places[0].is_some(), "{tail}");
}

#[tokio::test]
async fn a_failure_is_a_line_of_its_own() {
    let world = World::new();
    let function = Function::js("exports.handler = async () => { throw new Error('bad') }");
    world.try_invoke(&function, json!({})).await.unwrap();
    let lines = plain(&world.texts());
    let expected = r#"{"errorType":"Error","errorMessage":"bad","stack":["Error: bad","#;
    let expected = format!("TIME\tID\tERROR\tInvoke Error \t{expected}");
    assert!(lines.iter().any(|line| line.starts_with(&expected)), "{lines:?}");
}

#[tokio::test]
async fn a_flood_of_output_neither_blocks_nor_grows() {
    let world = World::new();
    let text = "exports.handler = async () => {
        for (let i = 0; i < 200; i++) {
            process.stdout.write('x'.repeat(10000));
            console.log('y'.repeat(300000));
        }
        return 'done' }";
    assert_eq!(world.invoke(&Function::js(text), json!({})).await, (json!("done"), false));
    assert!(world.texts().iter().all(|text| text.len() <= 256 * 1024));
}
