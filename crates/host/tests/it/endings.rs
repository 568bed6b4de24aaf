//! The ways to fail, in Lambda's words.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{Function, World};

const ID: &str = "11111111-2222-4333-8444-555555555555";

/// Runs the handler once; gives type and message of its error, and checks that the next event of
/// the same function is answered too.
async fn failure(world: &World, function: &Function) -> (String, String) {
    let (answer, failed) = world.invoke(function, json!({})).await;
    assert!(failed, "{answer}");
    let text = |name: &str| answer[name].as_str().unwrap().replace(&function.folder(), "/task");
    let found = (text("errorType"), text("errorMessage"));
    world.try_invoke(function, json!({ "second": true })).await.unwrap();
    found
}

fn pair(kind: &str, message: impl Into<String>) -> (String, String) {
    (kind.to_owned(), message.into())
}

#[tokio::test]
async fn what_a_handler_throws_is_reported() {
    let world = World::new();
    for (js, kind, message) in [
        ("async () => { throw new TypeError('bad') }", "TypeError", "bad"),
        ("() => { throw new Error('bad') }", "Error", "bad"),
        ("(e, c, done) => done(new RangeError('bad'))", "RangeError", "bad"),
        ("(e, c, done) => done('bad')", "string", "bad"),
        ("(e, c) => c.fail('bad')", "string", "bad"),
        ("async () => { throw Object.assign(new Error('bad'), { name: 'Own' }) }", "Own", "bad"),
        ("async () => { throw { a: 1 } }", "object", "[object Object]"),
        ("async () => 1n", "Error", "Unable to stringify response body"),
        ("() => void setTimeout(() => { throw new Error('late') })", "Error", "late"),
        (
            "async () => { Promise.reject(new Error('lost')); await new Promise(setImmediate) }",
            "Runtime.UnhandledPromiseRejection",
            "Error: lost",
        ),
        (
            "async () => 'x'.repeat(6291555)",
            "Function.ResponseSizeTooLarge",
            "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
        ),
    ] {
        let function = Function::js(&format!("exports.handler = {js}"));
        assert_eq!(failure(&world, &function).await, pair(kind, message), "{js}");
    }
}

#[tokio::test]
async fn a_trace_shows_where() {
    let world = World::new();
    let function = Function::js("exports.handler = async () => {\n  throw new Error('bad')\n}");
    let (answer, _) = world.invoke(&function, json!({})).await;
    let trace: Vec<&str> =
        answer["trace"].as_array().unwrap().iter().flat_map(Value::as_str).collect();
    assert_eq!(trace[0], "Error: bad");
    assert!(trace[1].contains("index.js:2:9"), "{trace:?}");
}

#[tokio::test]
async fn what_cannot_be_loaded_is_named() {
    let world = World::new();
    for (text, handler, kind, message) in [
        ("", "nothing.handler", "Runtime.ImportModuleError", "Error: Cannot find module 'nothing'"),
        (
            "require('left-pad')",
            "index.handler",
            "Runtime.ImportModuleError",
            "Error: Cannot find module 'left-pad'",
        ),
        (
            "",
            "index.handler",
            "Runtime.HandlerNotFound",
            "index.handler is undefined or not exported",
        ),
        (
            "exports.handler = 1",
            "index.handler",
            "Runtime.HandlerNotFound",
            "index.handler is not a function",
        ),
        (
            "let let",
            "index.handler",
            "Runtime.UserCodeSyntaxError",
            "SyntaxError: let is disallowed as a lexically bound name",
        ),
        ("", "index", "Runtime.MalformedHandlerName", "Bad handler"),
        (
            "",
            "../index.handler",
            "Runtime.MalformedHandlerName",
            "'../index.handler' is not a valid handler name. Use absolute paths when specifying root \
             directories in handler names.",
        ),
        ("throw new TypeError('at import')", "index.handler", "TypeError", "at import"),
    ] {
        let function = Function::new(&[("index.js", text)], handler);
        let (found_kind, found) = failure(&world, &function).await;
        assert_eq!((found_kind.as_str(), found.lines().next().unwrap()), (kind, message));
    }
}

#[tokio::test]
async fn a_syntax_error_shows_its_place() {
    let world = World::new();
    let function = Function::js("const a = 1;\nconst = 2;");
    let (answer, _) = world.invoke(&function, json!({})).await;
    assert!(answer["trace"].to_string().contains("index.js:2"), "{answer}");
}

#[tokio::test]
async fn an_exit_is_reported_and_the_next_event_runs() {
    let world = World::new();
    let exit = |how: &str| pair("Runtime.ExitError", format!("RequestId: {ID} Error: {how}"));
    for (js, how) in [
        ("process.exit(1)", "Runtime exited with error: exit status 1"),
        ("process.exit(0)", "Runtime exited without providing a reason"),
        ("process.kill(process.pid, 'SIGKILL')", "Runtime exited with error: signal: killed"),
        ("process.abort()", "Runtime exited with error: signal: aborted"),
    ] {
        let function =
            Function::js(&format!("exports.handler = async (e) => {{ if (!e.second) {js} }}"));
        assert_eq!(failure(&world, &function).await, exit(how), "{js}");
        let loading = Function::js(js);
        assert_eq!(failure(&world, &loading).await, exit(how), "while loading: {js}");
    }
}

#[tokio::test]
async fn a_timeout_ends_the_worker_and_everything_it_started() {
    let world = World::new();
    let text = "exports.handler = async (e) => {
        if (e.second) return 'alive';
        const child = require('child_process').spawn('sleep', ['1000'], { stdio: 'inherit' });
        require('fs').writeFileSync('pid', String(child.pid));
        for (;;);
    }";
    let function = Function::with(&[("index.js", text)], "index.handler", |spec| {
        spec.timeout = Duration::from_millis(1000);
    });
    let message = format!("RequestId: {ID} Error: Task timed out after 1.00 seconds");
    assert_eq!(failure(&world, &function).await, pair("Sandbox.Timedout", message));
    let pid = std::fs::read_to_string(format!("{}/pid", function.folder())).unwrap();
    // A killed orphan is a zombie until init has seen it.
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    assert!(state.is_empty() || state.contains(") Z"), "{state}");
    let (answer, failed) = world.invoke(&function, json!({ "second": true })).await;
    assert_eq!((answer, failed), (json!("alive"), false));
}

#[tokio::test]
async fn loading_that_takes_too_long_is_tried_again_within_the_timeout() {
    let world = World::with(|config| config.init_timeout = Duration::from_secs(2));
    // Slow at the first try, fast at the second.
    let text = "
        const fs = require('fs');
        if (!fs.existsSync('tried')) { fs.writeFileSync('tried', ''); for (;;); }
        exports.handler = async () => 'ok'";
    let function = Function::js(text);
    assert_eq!(world.invoke(&function, json!({})).await, (json!("ok"), false));
    let always = Function::with(&[("index.js", "for (;;);")], "index.handler", |spec| {
        spec.timeout = Duration::from_millis(500);
    });
    let message = format!("RequestId: {ID} Error: Task timed out after 0.50 seconds");
    assert_eq!(failure(&world, &always).await, pair("Sandbox.Timedout", message));
}
