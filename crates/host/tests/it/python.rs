//! What is particular to Python: its ways to write, to fail and to log.

use std::time::Duration;

use host::{FunctionSpec, Invocation, Stats};
use serde_json::{Value, json};

use crate::world::{Function, World, invocation};

const ID: &str = "11111111-2222-4333-8444-555555555555";

fn python(files: &[(&str, &str)], handler: &str) -> Function {
    Function::with(files, handler, |spec| spec.runtime = "python3.12".into())
}

/// The body of `handler(event, context)` as a function.
fn body(text: &str) -> Function {
    let lines: Vec<String> =
        text.lines().map(|line| format!("    {}\n", line.trim_end())).collect();
    Function::py(&format!(
        "import os, sys, time, json, logging\ndef handler(event, context):\n{}",
        lines.concat()
    ))
}

#[tokio::test]
async fn handlers_are_found_in_modules_packages_and_folders() {
    let world = World::new();
    let run = "def run(event, context): return 'ok'";
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[("index.py", run)], "index.run"),
        (&[("src/orders/create.py", run)], "src/orders/create.run"),
        (&[("src/orders/create.py", run)], "src.orders.create.run"),
        (&[("app/__init__.py", run)], "app.run"),
        (&[("app/__init__.py", ""), ("app/main.py", run)], "app/main.run"),
        (&[("index.py", "from dep import run"), ("dep.py", run)], "index.run"),
        (
            &[("index.py", "class Run:\n  def __call__(s, e, c): return 'ok'\nrun = Run()")],
            "index.run",
        ),
        // Modules of ours and of the standard library are no obstacle to those of the function.
        (&[("worker.py", run)], "worker.run"),
        (&[("index.py", "from log import run"), ("log.py", run)], "index.run"),
        (&[("index.py", "from queue import run"), ("queue.py", run)], "index.run"),
    ];
    for (files, handler) in cases {
        let answer = world.invoke(&python(files, handler), json!({})).await;
        assert_eq!(answer, (json!("ok"), false), "{handler} in {files:?}");
    }
}

#[tokio::test]
async fn results_are_as_lambda_writes_them() {
    let world = World::new();
    for (text, expected) in [
        ("return None", "null"),
        ("pass", "null"),
        ("return {'a': (1, 2.5), 'é': True}", r#"{"a": [1, 2.5], "é": true}"#),
        ("return '\u{1F600}'", "\"\u{1F600}\""),
        (
            "from decimal import Decimal as D\nreturn [D('1.10'), D('NaN'), 'x']",
            "[1.10, NaN, \"x\"]",
        ),
        ("return float('nan')", "NaN"),
        ("return {1: b'text'}", r#"{"1": "text"}"#),
        ("return b'as it is'", "as it is"),
        ("return event", "{}"),
    ] {
        let invoked = world.try_invoke(&body(text), json!({})).await.unwrap();
        assert_eq!((&invoked.payload[..], invoked.error), (expected.as_bytes(), None), "{text}");
    }
    let old = Function::with(
        &[("index.py", "def handler(event, context): return 'é'")],
        "index.handler",
        |spec| spec.runtime = "python3.11".into(),
    );
    let invoked = world.try_invoke(&old, json!({})).await.unwrap();
    assert_eq!(invoked.payload, r#""\u00e9""#, "older versions escape");
}

/// Runs the handler twice; the second event must be answered whatever became of the first. Gives
/// the first answer.
async fn failure(world: &World, function: &Function) -> Value {
    let (answer, failed) = world.invoke(function, json!({})).await;
    assert!(failed, "{answer}");
    world.try_invoke(function, json!({ "second": true })).await.unwrap();
    answer
}

#[tokio::test]
async fn what_a_handler_raises_is_reported() {
    let world = World::new();
    for (text, kind, message) in [
        ("raise ValueError('bad')", "ValueError", "bad"),
        ("return {}['key']", "KeyError", "'key'"),
        ("class Own(Exception): pass\nraise Own()", "Own", ""),
        (
            "return {1, 2}",
            "Runtime.MarshalError",
            "Unable to marshal response: Object of type set is not JSON serializable",
        ),
        (
            "x = []\nx.append(x)\nreturn x",
            "Runtime.MarshalError",
            "Unable to marshal response: Circular reference detected",
        ),
    ] {
        let answer = failure(&world, &body(text)).await;
        assert_eq!(answer["errorType"], kind, "{text}");
        assert_eq!(answer["errorMessage"], message, "{text}");
        assert_eq!(answer["requestId"], ID, "{text}");
    }
    let large = failure(&world, &body("return 'x' * 6291555")).await;
    assert_eq!(
        large,
        json!({
            "errorType": "Function.ResponseSizeTooLarge",
            "errorMessage":
                "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
        })
    );
}

#[tokio::test]
async fn an_event_that_is_no_json_is_the_functions_error() {
    let world = World::new();
    let event = Invocation { payload: "{".into(), ..invocation(json!({})) };
    let invoked = world.host.invoke(&body("return 1").spec, event).await.unwrap();
    let answer: Value = serde_json::from_slice(&invoked.payload).unwrap();
    assert_eq!(answer["errorType"], "Runtime.UnmarshalError");
    let message = answer["errorMessage"].as_str().unwrap();
    assert!(message.starts_with("Unable to unmarshal input: "), "{message}");
}

#[tokio::test]
async fn a_trace_is_the_users_lines() {
    let world = World::new();
    let function = Function::py(
        "def inner():\n    raise ValueError('bad')\n\ndef handler(event, context):\n    inner()\n",
    );
    let answer = failure(&world, &function).await;
    let file = format!("{}/index.py", function.folder());
    assert_eq!(
        answer["stackTrace"],
        json!([
            format!("  File \"{file}\", line 5, in handler\n    inner()\n"),
            format!("  File \"{file}\", line 2, in inner\n    raise ValueError('bad')\n"),
        ])
    );
    let logged = world.texts().into_iter().find(|text| text.starts_with("[ERROR]")).unwrap();
    assert_eq!(
        logged.replace('\u{a0}', "_"),
        format!(
            "[ERROR] ValueError: bad\nTraceback (most recent call last):\n\
             __File \"{file}\", line 5, in handler\n____inner()\n\
             __File \"{file}\", line 2, in inner\n____raise ValueError('bad')"
        )
    );
}

#[tokio::test]
async fn what_cannot_be_loaded_is_named() {
    let world = World::new();
    for (text, handler, kind, message) in [
        (
            "",
            "nothing.handler",
            "Runtime.ImportModuleError",
            "Unable to import module 'nothing': No module named 'nothing'",
        ),
        (
            "import left_pad",
            "index.handler",
            "Runtime.ImportModuleError",
            "Unable to import module 'index': No module named 'left_pad'",
        ),
        (
            "",
            "index.handler",
            "Runtime.HandlerNotFound",
            "Handler 'handler' missing on module 'index'",
        ),
        (
            "",
            "index",
            "Runtime.MalformedHandlerName",
            "Bad handler 'index': not enough values to unpack (expected 2, got 1)",
        ),
        (
            "",
            "sys.handler",
            "Runtime.BuiltInModuleConflict",
            "Cannot use built-in module sys as a handler module",
        ),
        ("raise TypeError('at import')", "index.handler", "TypeError", "at import"),
    ] {
        let answer = failure(&world, &python(&[("index.py", text)], handler)).await;
        assert_eq!(answer["errorType"], kind, "{handler} in {text}");
        assert_eq!(answer["errorMessage"], message, "{handler} in {text}");
        assert_eq!(answer["requestId"], "");
    }
    let function = Function::py("a = 1\nb = = 2\n");
    let answer = failure(&world, &function).await;
    assert_eq!(answer["errorType"], "Runtime.UserCodeSyntaxError");
    let place = format!("  File \"{}/index.py\" Line 2\n    b = = 2\n", function.folder());
    assert_eq!(answer["stackTrace"], json!([place]));
}

#[tokio::test]
async fn an_exit_is_reported_and_the_next_event_runs() {
    let world = World::new();
    for (text, how) in [
        ("sys.exit(1)", "Runtime exited with error: exit status 1"),
        ("sys.exit('why')", "Runtime exited with error: exit status 1"),
        ("sys.exit()", "Runtime exited without providing a reason"),
        ("os._exit(7)", "Runtime exited with error: exit status 7"),
        ("os.abort()", "Runtime exited with error: signal: aborted"),
    ] {
        let expected = json!({
            "errorType": "Runtime.ExitError",
            "errorMessage": format!("RequestId: {ID} Error: {how}"),
        });
        let running = body(&format!("if 'second' not in event:\n    {text}"));
        assert_eq!(failure(&world, &running).await, expected, "{text}");
        let loading = Function::py(&format!("import os, sys\n{text}"));
        assert_eq!(failure(&world, &loading).await, expected, "while loading: {text}");
    }
}

#[tokio::test]
async fn a_timeout_ends_the_event() {
    let world = World::new();
    let text = "def handler(event, context):\n    while 'second' not in event: pass";
    let function = Function::py_with(text, |spec| spec.timeout = Duration::from_millis(700));
    let answer = failure(&world, &function).await;
    let message = format!("RequestId: {ID} Error: Task timed out after 0.70 seconds");
    assert_eq!(answer, json!({ "errorType": "Sandbox.Timedout", "errorMessage": message }));
}

#[tokio::test]
async fn the_context_is_complete() {
    let world = World::new();
    let function = body(
        "left = context.get_remaining_time_in_millis()
client, identity = context.client_context, context.identity
return {
    **{k: v for k, v in vars(context).items() if isinstance(v, (str, type(None)))},
    'client_context': client and [client.custom, client.env, client.client.app_title],
    'identity': [identity.cognito_identity_id, identity.cognito_identity_pool_id],
    'left': 9000 <= left <= 10000,
    'trace': os.environ.get('_X_AMZN_TRACE_ID'),
}",
    );
    let client = r#"{"client":{"app_title":"shop"},"custom":{"a":1},"env":{"b":2}}"#;
    let event = Invocation {
        client_context: Some(client.into()),
        trace_header: Some("Root=1-2-3".into()),
        ..invocation(json!({}))
    };
    let answer = world.host.invoke(&function.spec, event).await.unwrap();
    let mut context: Value = serde_json::from_slice(&answer.payload).unwrap();
    let stream = context["log_stream_name"].take();
    assert!(stream.as_str().unwrap().contains("/[$LATEST]"), "{stream}");
    assert_eq!(
        context,
        json!({
            "aws_request_id": ID,
            "log_group_name": "/aws/lambda/shop",
            "log_stream_name": null,
            "function_name": "shop",
            "memory_limit_in_mb": "128",
            "function_version": "$LATEST",
            "invoked_function_arn": "arn:aws:lambda:us-east-1:000000000000:function:shop",
            "tenant_id": null,
            "client_context": [{ "a": 1 }, { "b": 2 }, "shop"],
            "identity": [null, null],
            "left": true,
            "trace": "Root=1-2-3",
        })
    );
    let (plain, _) = world.invoke(&function, json!({})).await;
    assert_eq!((&plain["trace"], &plain["client_context"]), (&json!(null), &json!(null)));
}

#[tokio::test]
async fn the_environment_is_lambdas() {
    let world = World::new();
    let text = "import os, sys, time
def handler(event, context):
    return [dict(os.environ), os.getcwd(), sys.path[:3], time.tzname[0], sys.flags.optimize]";
    let function = Function::py_with(text, |spec| {
        spec.env = [("TZ".into(), "Europe/Berlin".into()), ("STAGE".into(), "dev".into())].into();
    });
    let (found, _) = world.invoke(&function, json!({})).await;
    let folder = function.folder();
    let env = &found[0];
    assert_eq!(env["AWS_EXECUTION_ENV"], "AWS_Lambda_python3.12");
    assert_eq!(env["LAMBDA_TASK_ROOT"], folder);
    assert_eq!((&env["STAGE"], &env["_HANDLER"]), (&json!("dev"), &json!("index.handler")));
    assert!(env["LAMBDA_RUNTIME_DIR"].as_str().unwrap().ends_with("/python"));
    assert_eq!(env.as_object().unwrap().len(), 25, "{env}");
    assert_eq!((&found[1], &found[3]), (&json!(folder), &json!("CET")));
    assert_eq!((&found[2][0], &found[2][2]), (&json!(folder), &json!("/opt/python")));
    let packages = found[2][1].as_str().unwrap();
    assert!(
        packages.starts_with("/opt/python/lib/python3.") && packages.ends_with("/site-packages")
    );

    let optimized = Function::py_with(text, |spec| {
        spec.env = [("PYTHONOPTIMIZE".into(), "2".into())].into();
    });
    assert_eq!(world.invoke(&optimized, json!({})).await.0[4], json!(2));
}

/// The lines with what differs between two runs replaced.
fn plain(texts: &[String]) -> Vec<String> {
    let plain = |text: &String| {
        let text = text.replace(ID, "ID");
        let parts: Vec<&str> = text.splitn(3, '\t').collect();
        match parts[..] {
            [level, time, rest] if level.starts_with('[') && time.len() == 24 => {
                format!("{level} {rest}")
            }
            _ => text.split("\tDuration").next().unwrap().to_owned(),
        }
    };
    texts.iter().map(plain).collect()
}

#[tokio::test]
async fn lines_stand_between_start_and_report() {
    let world = World::new();
    let function = Function::py(
        "import logging, subprocess, sys
print('loading')
logging.getLogger('early').warning('early')
def handler(event, context):
    print('one', 2)
    print('error', file=sys.stderr)
    subprocess.run(['echo', 'child'])
    sys.stdout.write('unended')
    logging.getLogger().setLevel('INFO')
    logging.info('two\\nlines %s', 'é')
    logging.getLogger('a.b').error('named')
    logging.debug('not this')",
    );
    let invoked = world.try_invoke(&function, json!({})).await.unwrap();
    assert_eq!(invoked.error, None);
    let (logged, raw): (Vec<_>, Vec<_>) =
        plain(&world.texts()).into_iter().partition(|line| line.starts_with('['));
    assert_eq!(logged, ["[WARNING] \tearly", "[INFO] ID\ttwo\nlines é", "[ERROR] ID\tnamed"]);
    let start = "START RequestId: ID Version: $LATEST";
    let mut expected = vec!["loading", start, "one 2", "error", "child", "unended"];
    expected.extend(["END RequestId: ID", "REPORT RequestId: ID"]);
    let mut raw = raw;
    assert!(raw.remove(0).starts_with("INIT_START Runtime Version: python:3."), "{raw:?}");
    // What is printed while loading may be read before START or behind it.
    let loading = raw.iter().position(|line| line == "loading").unwrap();
    let line = raw.remove(loading);
    raw.insert(0, line);
    assert_eq!(raw, expected);
}

#[tokio::test]
async fn the_largest_event_and_result_pass_in_unicode_too() {
    let world = World::new();
    let function = body("return event");
    for event in ["x".repeat(6 * 1024 * 1024 - 2), "\u{1F600}".repeat(1024 * 1024)] {
        let (answer, failed) = world.invoke(&function, json!(event)).await;
        assert!(!failed && answer == json!(event));
    }
}

#[tokio::test]
async fn threads_and_forks_may_log_while_the_handler_answers() {
    let world = World::new();
    let function = Function::py(
        "import logging, os, threading, multiprocessing
def flood():
    for _ in range(100): logging.warning('x' * 20000)
def handler(event, context):
    threads = [threading.Thread(target=flood) for _ in range(4)]
    for thread in threads: thread.start()
    child = os.fork()
    if child == 0:
        print('forked')
        os._exit(0)
    os.waitpid(child, 0)
    for thread in threads: thread.join()
    return 'ok'",
    );
    for _ in 0..3 {
        assert_eq!(world.invoke(&function, json!({})).await, (json!("ok"), false));
    }
    assert_eq!(world.texts().iter().filter(|text| text.ends_with("xxx")).count(), 1200);
}

#[tokio::test]
async fn clients_of_an_sdk_that_does_not_know_endpoints_come_home() {
    let world = World::new();
    let session = "class Session:
    def create_client(self, service_name, region_name=None, endpoint_url=None):
        return endpoint_url";
    let index = "import botocore.session
session = botocore.session.Session()
def handler(event, context):
    return [session.create_client('sqs'), session.create_client('sqs', endpoint_url='own')]";
    for (version, home) in [("1.29.165", json!("http://127.0.0.1:4566")), ("1.40.1", json!(null))] {
        let version = format!("__version__ = '{version}'");
        let files = [
            ("index.py", index),
            ("botocore/__init__.py", &version),
            ("botocore/session.py", session),
        ];
        let (found, _) = world.invoke(&python(&files, "index.handler"), json!({})).await;
        assert_eq!(found, json!([home, "own"]), "{version}");
    }
}

#[tokio::test]
async fn a_functions_code_is_not_written_to() {
    let world = World::new();
    let files =
        [("index.py", "from dep import handler"), ("dep.py", "def handler(e, c): return 1")];
    let function = python(&files, "index.handler");
    world.invoke(&function, json!({})).await;
    let entries = std::fs::read_dir(function.folder()).unwrap().count();
    assert_eq!(entries, 2, "no __pycache__");
}

#[tokio::test]
async fn each_interpreter_has_booted_workers_of_its_own() {
    let world = World::new();
    let python: &std::sync::Arc<FunctionSpec> = &body("return 1").spec;
    world.host.warm(python).await.unwrap();
    world.host.warm(&Function::js("exports.handler = 1").spec).await.unwrap();
    assert_eq!(world.host.stats(), Stats { booted: 2, ..Stats::default() });
}
