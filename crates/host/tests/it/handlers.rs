//! The ways to write a handler.

use host::Invocation;
use serde_json::json;

use crate::world::{Function, World, invocation};

#[tokio::test]
async fn every_style_of_handler_runs() {
    let world = World::new();
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[("index.js", "exports.handler = async () => 'ok'")], "index.handler"),
        (&[("index.js", "exports.handler = (e, c, done) => done(null, 'ok')")], "index.handler"),
        (
            &[("index.js", "exports.handler = (e, c, d) => void setTimeout(d, 5, null, 'ok')")],
            "index.handler",
        ),
        (&[("index.js", "exports.handler = (e, c) => c.succeed('ok')")], "index.handler"),
        (&[("index.js", "exports.handler = (e, c) => c.done(null, 'ok')")], "index.handler"),
        (&[("index.mjs", "export const handler = async () => 'ok'")], "index.handler"),
        (
            &[(
                "index.mjs",
                "const x = await Promise.resolve('ok'); export const run = async () => x",
            )],
            "index.run",
        ),
        (&[("index.cjs", "exports.handler = async () => 'ok'")], "index.handler"),
        (
            &[
                ("package.json", r#"{"type":"module"}"#),
                ("index.js", "export const handler = async () => 'ok'"),
            ],
            "index.handler",
        ),
        (&[("src/orders/create.js", "exports.run = async () => 'ok'")], "src/orders/create.run"),
        (&[("index.js", "exports.a = { b: async () => 'ok' }")], "index.a.b"),
        (&[("index.js", "module.exports = { handler: async () => 'ok' }")], "index.handler"),
        (
            &[
                ("index.js", "exports.handler = async () => require('dep')"),
                ("node_modules/dep/index.js", "module.exports = 'ok'"),
            ],
            "index.handler",
        ),
        (
            &[
                ("src/index.mjs", "import x from 'dep'; export const handler = async () => x"),
                ("node_modules/dep/index.js", "module.exports = 'ok'"),
            ],
            "src/index.handler",
        ),
    ];
    for (files, handler) in cases {
        assert_eq!(world.answer(files, handler).await, (json!("ok"), false), "{files:?}");
    }
}

#[tokio::test]
async fn results_are_what_json_makes_of_them() {
    let world = World::new();
    for (js, expected) in [
        ("async () => {}", json!(null)),
        ("() => {}", json!(null)),
        ("async () => new Promise(() => {})", json!(null)),
        ("(e, c, done) => done()", json!(null)),
        (
            "async () => ({ a: undefined, d: new Date(0) })",
            json!({ "d": "1970-01-01T00:00:00.000Z" }),
        ),
        ("async () => 'é\u{1F600}'", json!("é\u{1F600}")),
        ("(e, c, done) => { done(null, 1); done(null, 2) }", json!(2)),
        ("async (e, c) => { c.succeed(1); return 2 }", json!(1)),
    ] {
        let function = Function::js(&format!("exports.handler = {js}"));
        assert_eq!(world.invoke(&function, json!({})).await, (expected, false), "{js}");
    }
}

#[tokio::test]
async fn a_callback_waits_for_the_event_loop_unless_told_not_to() {
    let world = World::new();
    let body = "setTimeout(() => { global.late = true }, 50); done(null, !!global.late)";
    for (waits, second) in [(true, true), (false, false)] {
        let function = Function::js(&format!(
            "exports.handler = (e, c, done) => {{
               c.callbackWaitsForEmptyEventLoop = {waits};
               {body}
             }}"
        ));
        assert_eq!(world.invoke(&function, json!({})).await.0, json!(false));
        assert_eq!(world.invoke(&function, json!({})).await.0, json!(second), "waits: {waits}");
    }
}

#[tokio::test]
async fn the_context_is_complete() {
    let world = World::new();
    let function = Function::js(
        "exports.handler = async (e, c) => {
           const trace = process.env._X_AMZN_TRACE_ID;
           return { ...c, left: c.getRemainingTimeInMillis(), trace };
         }",
    );
    let event = Invocation {
        client_context: Some(r#"{"custom":{"a":1}}"#.into()),
        trace_header: Some("Root=1-2-3".into()),
        tail: true,
        ..invocation(json!({}))
    };
    let answer = world.host.invoke(&function.spec, event.clone()).await.unwrap();
    let mut context: serde_json::Value = serde_json::from_slice(&answer.payload).unwrap();
    let left = context["left"].take().as_u64().unwrap();
    assert!((9_000..=10_000).contains(&left), "{left}");
    let stream = context["logStreamName"].take();
    assert!(stream.as_str().unwrap().contains("/[$LATEST]"), "{stream}");
    assert_eq!(
        context,
        json!({
            "callbackWaitsForEmptyEventLoop": true,
            "functionVersion": "$LATEST",
            "functionName": "shop",
            "memoryLimitInMB": "128",
            "logGroupName": "/aws/lambda/shop",
            "logStreamName": null,
            "clientContext": { "custom": { "a": 1 } },
            "invokedFunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:shop",
            "awsRequestId": event.request_id,
            "left": null,
            "trace": "Root=1-2-3",
        })
    );
    let (untraced, _) = world.invoke(&function, json!({})).await;
    assert!(untraced.get("trace").is_none(), "the last event's trace is gone");
}

#[tokio::test]
async fn the_environment_is_lambdas_and_the_users_and_nothing_else() {
    let world = World::new();
    let files =
        [("index.js", "exports.handler = async () => ({ ...process.env, cwd: process.cwd() })")];
    let function = Function::with(&files, "index.handler", |spec| {
        spec.env = [("STAGE".into(), "dev".into()), ("TZ".into(), "Europe/Berlin".into())].into();
    });
    let (mut env, _) = world.invoke(&function, json!({})).await;
    let folder = function.folder();
    assert!(env["AWS_LAMBDA_LOG_STREAM_NAME"].take().is_string());
    let runtime = env["LAMBDA_RUNTIME_DIR"].take();
    let runtime = runtime.as_str().unwrap();
    assert!(runtime.ends_with("/nodejs"));
    let libraries = format!("/lib64:/usr/lib64:{runtime}:{runtime}/lib:{folder}:{folder}/lib");
    assert_eq!(env["LD_LIBRARY_PATH"].take(), libraries);
    assert_eq!(
        env,
        json!({
            "AWS_ACCESS_KEY_ID": "AKIA",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
            "AWS_EXECUTION_ENV": "AWS_Lambda_nodejs20.x",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
            "AWS_LAMBDA_FUNCTION_NAME": "shop",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/shop",
            "AWS_LAMBDA_LOG_STREAM_NAME": null,
            "AWS_REGION": "us-east-1",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_SESSION_TOKEN": "token",
            "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
            "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000",
            "LAMBDA_RUNTIME_DIR": null,
            "LAMBDA_TASK_ROOT": folder,
            "LANG": "en_US.UTF-8",
            "LD_LIBRARY_PATH": null,
            "NODE_PATH": format!("{folder}/node_modules:{folder}"),
            "PATH": format!("/usr/local/bin:/usr/bin:/bin:{folder}/bin"),
            "STAGE": "dev",
            "TZ": "Europe/Berlin",
            "_AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1",
            "_AWS_XRAY_DAEMON_PORT": "2000",
            "_HANDLER": "index.handler",
            "cwd": folder,
        })
    );
}

#[tokio::test]
async fn variables_that_node_reads_at_its_start_are_there_at_its_start() {
    let world = World::new();
    let function = Function::with(
        &[("index.js", "exports.handler = async () => typeof gc")],
        "index.handler",
        |spec| spec.env = [("NODE_OPTIONS".into(), "--expose-gc".into())].into(),
    );
    assert_eq!(world.invoke(&function, json!({})).await, (json!("function"), false));
}

#[tokio::test]
async fn requests_to_aws_come_home() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let world = World::new();
    let home = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", home.local_addr().unwrap());
    let heard = async {
        let mut heads = Vec::new();
        for _ in 0..4 {
            let (mut socket, _) = home.accept().await.unwrap();
            let mut head = vec![0; 4096];
            let got = socket.read(&mut head).await.unwrap();
            heads.push(String::from_utf8_lossy(&head[..got]).to_lowercase());
            let reply = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";
            socket.write_all(reply).await.unwrap();
        }
        heads
    };
    // One is loaded with `require`, the other with `import`: both are the same functions.
    let text = "
        import https, { get } from 'node:https';
        const ask = (get, ...args) => new Promise((done, fail) => {
            const got = (reply) => reply.on('data', (data) => done(String(data)));
            get(...args, got).on('error', fail);
        });
        const signed = { headers: { Host: 'signed' } };
        export const handler = async () => [
            await ask(https.get, { hostname: 'sns.us-east-1.amazonaws.com', path: '/a', port: 443 }),
            await ask(get, 'https://sqs.us-east-1.amazonaws.com/b'),
            await ask(get, new URL('https://x.s3.amazonaws.com/c'), signed),
            await ask(https.get, { host: 'sts.amazonaws.com', path: '/d', headers: { 'X-A': '1' } }),
        ]";
    let function =
        Function::with(&[("index.mjs", text)], "index.handler", |spec| spec.endpoint_url = url);
    let (answer, heads) = tokio::join!(world.invoke(&function, json!({})), heard);
    assert_eq!(answer, (json!(["ok", "ok", "ok", "ok"]), false));
    for (head, (path, host)) in heads.iter().zip([
        ("/a", "sns.us-east-1.amazonaws.com"),
        ("/b", "sqs.us-east-1.amazonaws.com"),
        ("/c", "signed"),
        ("/d", "sts.amazonaws.com"),
    ]) {
        assert!(head.starts_with(&format!("get {path} http/1.1\r\n")), "{head}");
        assert!(head.contains(&format!("\r\nhost: {host}\r\n")), "{head}");
    }
}

#[tokio::test]
async fn the_hello_of_the_runtime_answers() {
    let hello = include_str!("../../../../runtimes/nodejs/hello/index.js");
    let world = World::new();
    let answer = world.invoke(&Function::js(hello), json!({ "name": "Ada" })).await;
    assert_eq!(answer, (json!({ "hello": "Ada" }), false));
}

#[tokio::test]
async fn any_node_runs_on_the_node_installed() {
    let world = World::new();
    for name in ["nodejs14.x", "nodejs", "nodejs99.x"] {
        let files = [("index.js", "exports.handler = async () => process.env.AWS_EXECUTION_ENV")];
        let function =
            Function::with(&files, "index.handler", |spec| spec.runtime = name.to_owned());
        let expected = json!(format!("AWS_Lambda_{name}"));
        assert_eq!(world.invoke(&function, json!({})).await, (expected, false));
    }
}
