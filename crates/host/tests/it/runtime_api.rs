//! Programs that bring their own runtime, played by one in Python.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use host::{FunctionSpec, Invocation};
use serde_json::{Value, json};

use crate::world::{Function, World, invocation};

const ID: &str = "11111111-2222-4333-8444-555555555555";

/// `call(method, path, body, **headers)`, `next()`, `answer(id, value)`, `fail(id, type, body)`.
const CLIENT: &str = "#!/usr/bin/env python3
import http.client, json, os, sys, time
def connect(): return http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
connection = connect()
def call(method, path, body=None, headers={}, on=None, **more):
    on = on or connection
    on.request(method, path, body, headers, **more)
    reply = on.getresponse()
    return reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read()
RUNTIME = '/2018-06-01/runtime/'
EXTENSION = '/2020-01-01/extension/'
def next():
    _, headers, body = call('GET', RUNTIME + 'invocation/next')
    return headers['lambda-runtime-aws-request-id'], headers, json.loads(body)
def answer(id, value, headers={}):
    return call('POST', RUNTIME + f'invocation/{id}/response', json.dumps(value), headers)
def fail(id, kind, body):
    headers = {'Lambda-Runtime-Function-Error-Type': kind}
    return call('POST', RUNTIME + f'invocation/{id}/error', body, headers)
def register(name, *events):
    body = json.dumps({'events': events})
    on = connect()
    status, headers, body = call(
        'POST', EXTENSION + 'register', body, {'Lambda-Extension-Name': name}, on)
    id = headers.get('lambda-extension-identifier')
    return on, {'Lambda-Extension-Identifier': id}, (status, json.loads(body))
def refused(reply): return [reply[0], json.loads(reply[2]).get('errorType')]
";

fn provided(files: &[(&str, String)], change: impl FnOnce(&mut FunctionSpec)) -> Function {
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, &**text)).collect();
    let function = Function::with(&files, "own.handler", |spec| {
        spec.runtime = "provided.al2023".into();
        let layers = spec.code.join("layers").display().to_string();
        spec.env.insert("LAMBDA_LAYERS_ROOT".into(), layers);
        change(spec);
    });
    for (path, _text) in files {
        let path = format!("{}/{path}", function.folder());
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    }
    function
}

/// A `bootstrap` of these lines behind [`CLIENT`].
pub(crate) fn bootstrap(lines: &str) -> Function {
    provided(&[("bootstrap", format!("{CLIENT}{lines}"))], |_spec| {})
}

/// A `bootstrap` that answers each event with an expression of `id`, `headers` and `event`.
fn answers(expression: &str) -> Function {
    bootstrap(&format!("while True:\n  id, headers, event = next()\n  answer(id, {expression})\n"))
}

#[tokio::test]
async fn a_bootstrap_answers_one_event_after_the_other() {
    let world = World::new();
    let function = answers("[os.getpid(), event]");
    let (first, failed) = world.invoke(&function, json!({ "n": 1 })).await;
    assert!(!failed && first[1] == json!({ "n": 1 }), "{first}");
    for n in 0..20 {
        let (answer, _) = world.invoke(&function, json!(n)).await;
        assert_eq!((&answer[0], &answer[1]), (&first[0], &json!(n)));
    }
    assert_eq!(world.host.stats().idle, 1);
    let large = json!("x".repeat(6 * 1024 * 1024 - 2));
    let (answer, failed) = world.invoke(&answers("event"), large.clone()).await;
    assert!(!failed && answer == large);
}

#[tokio::test]
async fn an_event_has_lambdas_headers_and_the_process_lambdas_environment() {
    let world = World::new();
    let function = answers("[headers, dict(os.environ), os.getcwd(), time.time() * 1000]");
    let event = Invocation {
        client_context: Some(r#"{"custom":{"a":1}}"#.into()),
        trace_header: Some("Root=1-2-3".into()),
        ..invocation(json!({}))
    };
    let answer = world.host.invoke(&function.spec, event).await.unwrap();
    let answer: Value = serde_json::from_slice(&answer.payload).unwrap();
    let (headers, env, now) = (&answer[0], &answer[1], answer[3].as_f64().unwrap());
    assert_eq!(headers["lambda-runtime-aws-request-id"], ID);
    assert_eq!(headers["lambda-runtime-trace-id"], "Root=1-2-3");
    assert_eq!(headers["lambda-runtime-client-context"], r#"{"custom":{"a":1}}"#);
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:shop";
    assert_eq!(headers["lambda-runtime-invoked-function-arn"], arn);
    assert_eq!(headers["content-type"], "application/json");
    let deadline = headers["lambda-runtime-deadline-ms"].as_str().unwrap().parse::<f64>().unwrap();
    assert!((8_000.0..=10_100.0).contains(&(deadline - now)), "{deadline} at {now}");
    assert_eq!(env["_HANDLER"], "own.handler");
    assert_eq!(env["LAMBDA_TASK_ROOT"], function.folder());
    assert_eq!(answer[2], function.folder());
    let stream = env["AWS_LAMBDA_LOG_STREAM_NAME"].as_str().unwrap();
    assert!(world.lines().iter().all(|line| line.to.name == stream));
}

/// A process that was booted before it was known whose it would be has the environment that a
/// process of its own has: whatever is in it.
#[tokio::test]
async fn what_was_booted_ahead_has_the_same_environment() {
    let odd = [
        ("SPACES", "  two before, one behind "),
        ("LINES", "one\ntwo\\n\\\\three\n\n"),
        ("SIGNS", "a=b 'c' \"d\" $HOME `e` \\ \\t %s \\c !"),
        ("EMPTY", ""),
        ("SNOW", "\u{2603}"),
        ("line", "none of the shell's"),
        ("opt", "nor this"),
    ];
    let text =
        format!("{CLIENT}while True:\n  id, _, _ = next()\n  answer(id, dict(os.environ))\n");
    let function = |more: &[(&str, &str)]| {
        provided(&[("bootstrap", text.clone())], |spec| {
            let set = odd.iter().chain(more).map(|(name, value)| ((*name).into(), (*value).into()));
            spec.env.extend(set);
        })
    };
    let seen = async |world: &World, function: &Function| {
        let (mut env, failed) = world.invoke(function, json!({})).await;
        assert!(!failed, "{env}");
        let env = env.as_object_mut().unwrap();
        // What each process has of its own.
        let own = ["AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_RUNTIME_API", "OLDPWD", "PWD", "_"];
        env.retain(|name, _| !own.contains(&name.as_str()));
        json!(env)
    };
    let (ahead, fresh) = (World::new(), World::with(|config| config.booted_max = 0));
    let plain = function(&[]);
    ahead.host.warm(&plain.spec).await.unwrap();
    let booted = seen(&ahead, &plain).await;
    assert!(ahead.texts()[0].contains("Start: booted worker"), "{:?}", ahead.texts());
    for (name, value) in odd {
        assert_eq!(booted[name], value);
    }
    assert_eq!(booted, seen(&fresh, &plain).await);
    assert!(fresh.texts()[0].contains("Start: fresh process"), "{:?}", fresh.texts());
    // A shell would not take this one.
    let user = function(&[("UID", "7")]);
    ahead.host.warm(&user.spec).await.unwrap();
    assert_eq!(seen(&ahead, &user).await["UID"], "7");
}

#[tokio::test]
async fn errors_are_passed_on_as_they_are_said() {
    let world = World::new();
    let body = r#"{"errorType": "Own", "errorMessage": "bad", "stackTrace": []}"#;
    for (lines, kind, message) in [
        (&*format!("fail(id, 'Function.Own', '{body}')"), "Own", "bad"),
        ("fail(id, 'Function.Own', 'no json')", "Function.Own", "no json"),
        ("fail(id, '', '')", "Runtime.Unknown", ""),
        ("fail(id, 'Odd', '[]')", "Runtime.Unknown", "[]"),
        (
            "answer(id, 'x' * 6291555)",
            "Function.ResponseSizeTooLarge",
            "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
        ),
        (
            "answer(id, 1, {'Lambda-Runtime-Function-Response-Mode': 'odd'})",
            "Runtime.InvalidResponseModeHeader",
            "Invalid function response mode",
        ),
        (
            "os._exit(3)",
            "Runtime.ExitError",
            "RequestId: ID Error: Runtime exited with error: exit status 3",
        ),
    ] {
        let function = bootstrap(&format!(
            "while True:\n  id, headers, event = next()\n  if event: answer(id, 'alive')\n  else: {lines}\n"
        ));
        let (answer, failed) = world.invoke(&function, json!({})).await;
        assert!(failed, "{lines}: {answer}");
        assert_eq!(answer["errorType"], kind, "{lines}");
        assert_eq!(answer["errorMessage"].as_str().unwrap().replace(ID, "ID"), message, "{lines}");
        let second = world.invoke(&function, json!({ "second": true })).await;
        assert_eq!(second, (json!("alive"), false), "{lines}");
    }
}

#[tokio::test]
async fn what_does_not_start_is_reported() {
    let world = World::new();
    let report = r#"{"errorType": "Own.Init", "errorMessage": "no"}"#;
    let headers = "{'Lambda-Runtime-Function-Error-Type': 'Runtime.Own'}";
    let init = format!("call('POST', RUNTIME + 'init/error', '{report}', {headers}); sys.exit(1)");
    for (function, kind, message) in [
        (bootstrap(&init), "Own.Init", "no"),
        (
            bootstrap("sys.exit(2)"),
            "Runtime.ExitError",
            "RequestId: ID Error: Runtime exited with error: exit status 2",
        ),
        (
            provided(&[], |_spec| {}),
            "Runtime.InvalidEntrypoint",
            "RequestId: ID Error: Couldn't find valid bootstrap(s): [/var/task/bootstrap \
             /opt/bootstrap]",
        ),
        (
            provided(&[("bootstrap", "#!/nowhere/python\n".into())], |_spec| {}),
            "Runtime.InvalidEntrypoint",
            "RequestId: ID Error: fork/exec /task/bootstrap: no such file or directory",
        ),
        (
            Function::with(&[("bootstrap", "")], "own.handler", |spec| {
                spec.runtime = "provided.al2".into();
            }),
            "Runtime.InvalidEntrypoint",
            "RequestId: ID Error: fork/exec /task/bootstrap: permission denied",
        ),
    ] {
        let (answer, failed) = world.invoke(&function, json!({})).await;
        let found = answer["errorMessage"].as_str().unwrap().replace(ID, "ID");
        let found = found.replace(&function.folder(), "/task");
        assert_eq!((&answer["errorType"], &*found), (&json!(kind), message));
        assert!(failed);
    }
    let slow = provided(&[("bootstrap", "#!/bin/sh\nsleep 100".into())], |spec| {
        spec.timeout = Duration::from_millis(500);
    });
    let impatient = World::with(|config| config.init_timeout = Duration::from_millis(300));
    let (answer, _) = impatient.invoke(&slow, json!({})).await;
    assert_eq!(answer["errorType"], "Sandbox.Timedout");
}

#[tokio::test]
async fn a_timeout_ends_the_event_and_the_next_one_runs() {
    let world = World::new();
    let text = format!(
        "{CLIENT}while True:\n  id, _, event = next()\n  while not event: pass\n  answer(id, 1)\n"
    );
    let function = provided(&[("bootstrap", text)], |spec| {
        spec.timeout = Duration::from_millis(900);
    });
    let (answer, _) = world.invoke(&function, json!({})).await;
    assert_eq!(answer["errorType"], "Sandbox.Timedout");
    assert_eq!(world.invoke(&function, json!({ "a": 1 })).await, (json!(1), false));
}

#[tokio::test]
async fn requests_at_the_wrong_moment_are_refused_in_lambdas_words() {
    let world = World::new();
    let function = bootstrap(
        "early = answer('id', 1)
id, headers, event = next()
found = [
    refused(early),
    refused(answer('other', 1)),
    refused(call('POST', RUNTIME + 'init/error', '{}')),
    next()[0] == id,
    call('GET', RUNTIME + 'restore/next')[0],
    call('GET', '/2018-06-01/runtime/nothing')[0],
    refused(call('PUT', '/2022-07-01/telemetry', '{}')),
    refused(call('GET', EXTENSION + 'event/next')),
    refused(call('GET', EXTENSION + 'event/next', None, {'Lambda-Extension-Identifier': 'x'})),
    register('late', 'INVOKE')[2][1]['errorType'],
]
answer(id, found)
again = refused(answer(id, 'twice'))
id, headers, event = next()
answer(id, again)
next()",
    );
    let (found, _) = world.invoke(&function, json!({})).await;
    assert_eq!(
        found,
        json!([
            [400, "InvalidRequestID"],
            [400, "InvalidRequestID"],
            [403, "InvalidStateTransition"],
            true,
            404,
            404,
            [202, "Telemetry.NotSupported"],
            [403, "Extension.MissingExtensionIdentifier"],
            [403, "Extension.UnknownExtensionIdentifier"],
            "Extension.RegistrationClosed",
        ])
    );
    let (again, _) = world.invoke(&function, json!({})).await;
    assert_eq!(again, json!([403, "InvalidStateTransition"]));
}

#[tokio::test]
async fn a_response_may_come_in_pieces_and_fail_at_its_end() {
    let world = World::new();
    let function = bootstrap(
        "import base64, socket
def pieces(id, trailers):
    host, port = os.environ['AWS_LAMBDA_RUNTIME_API'].split(':')
    s = socket.create_connection((host, int(port)))
    head = f'POST {RUNTIME}invocation/{id}/response HTTP/1.1\\r\\nHost: x\\r\\n'
    head += 'Lambda-Runtime-Function-Response-Mode: streaming\\r\\nTransfer-Encoding: chunked\\r\\n'
    head += 'Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\\r\\n'
    s.sendall((head + '\\r\\n3\\r\\n\"ab\\r\\n').encode())
    time.sleep(0.05)
    s.sendall(f'3\\r\\ncd\"\\r\\n0\\r\\n{trailers}\\r\\n'.encode())
    return s.recv(100)
while True:
    id, headers, event = next()
    body = base64.b64encode(b'{\"errorType\": \"Late\"}').decode()
    kind = 'Lambda-Runtime-Function-Error-Type: Function.Late\\r\\n'
    pieces(id, kind + f'Lambda-Runtime-Function-Error-Body: {body}\\r\\n' if event else '')",
    );
    assert_eq!(world.invoke(&function, json!({})).await, (json!("abcd"), false));
    assert_eq!(world.invoke(&function, json!(1)).await, (json!({ "errorType": "Late" }), true));
}

#[tokio::test]
async fn what_is_printed_is_logged_between_start_and_report() {
    let world = World::new();
    let function = bootstrap(
        "print('loading', flush=True)
while True:
    id, headers, event = next()
    print('running', file=sys.stderr, flush=True)
    answer(id, None)",
    );
    let invoked = world.try_invoke(&function, json!({})).await.unwrap();
    assert!(invoked.init_ms.is_some() && invoked.duration_ms > 0.0);
    let first_words = |text: &String| text.split(' ').next().unwrap().to_owned();
    let words: Vec<String> = world.texts().iter().map(first_words).collect();
    assert_eq!(words, ["INIT_START", "loading", "START", "running", "END", "REPORT"]);
    assert!(!invoked.log_tail.contains("Max Memory Used: 0 MB"), "{}", invoked.log_tail);
}

#[tokio::test]
async fn extensions_are_told_and_waited_for() {
    let world = World::new();
    let extension = format!(
        "{CLIENT}
on, me, reply = register('outside', 'INVOKE', 'SHUTDOWN')
time.sleep(0.2)
open(os.environ['LAMBDA_TASK_ROOT'] + '/registered', 'w').write(json.dumps(reply))
while True:
    _, _, event = call('GET', EXTENSION + 'event/next', None, me, on)
    event = json.loads(event)
    time.sleep(0.2)
    print('extension', event['eventType'], event.get('requestId'), flush=True)
    if event['eventType'] == 'SHUTDOWN':
        open(os.environ['LAMBDA_TASK_ROOT'] + '/shutdown', 'w').write(event['shutdownReason'])
        break"
    );
    let runtime = format!(
        "{CLIENT}
import threading
on, me, reply = register('inside', 'INVOKE')
shutdown = register('wrong', 'SHUTDOWN')[2]
def inside():
    while True: call('GET', EXTENSION + 'event/next', None, me, on)
threading.Thread(target=inside, daemon=True).start()
while True:
    id, headers, event = next()
    answer(id, shutdown)"
    );
    let files = [("bootstrap", runtime), ("layers/extensions/outside", extension)];
    let function = provided(&files, |_spec| {});
    let (answer, failed) = world.invoke(&function, json!({})).await;
    assert!(!failed);
    assert_eq!(answer[1]["errorType"], "Extension.InvalidEventType");
    let file = |name: &str| std::fs::read_to_string(format!("{}/{name}", function.folder()));
    let registered: Value = serde_json::from_str(&file("registered").unwrap()).unwrap();
    assert_eq!(
        registered,
        json!([200, {"functionName": "shop", "functionVersion": "$LATEST", "handler": "own.handler"}])
    );
    // The event was over only when the extension had dealt with it.
    assert!(world.texts().contains(&format!("extension INVOKE {ID}")), "{:?}", world.texts());
    world.host.retire(&function.spec.arn, None);
    let told = async {
        while file("shutdown").unwrap_or_default().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), told).await.unwrap();
    assert_eq!(file("shutdown").unwrap(), "spindown");
}
