//! What goes on, and ends, in a slot.

use std::sync::Arc;
use std::time::Duration;

use base::SystemClock;

use crate::world::{Function, World};

/// A thread that works on after the reply stands still until the next event.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_runs_between_events() {
    const FROZEN_MS: u64 = 500;
    let function = Function::js(
        "const { Worker } = require('worker_threads');
        const shared = new Float64Array(new SharedArrayBuffer(16));
        const code = `const { workerData: shared } = require('worker_threads');
            for (let last = Date.now(); ; ) {
                const now = Date.now();
                shared[0] += 1;
                shared[1] = Math.max(shared[1], now - last);
                last = now;
            }`;
        let worker;
        exports.handler = async () => {
            worker ??= new Worker(code, { eval: true, workerData: shared });
            const before = shared[0];
            while (shared[0] === before) await new Promise((done) => setTimeout(done, 1));
            const stood = shared[1];
            shared[1] = 0;
            return stood;
        };",
    );
    let world = World::new();
    world.invoke(&function).await.0.unwrap();
    let clock = SystemClock::new();
    while world.host.stats().frozen == 0 {
        base::sleep(&clock, Duration::from_millis(10)).await;
    }
    base::sleep(&clock, Duration::from_millis(FROZEN_MS)).await;
    let stood = world.invoke(&function).await.0.unwrap();
    // The launcher does it some time after it was told, when others want the processors, too.
    assert!(stood.as_f64().unwrap() >= FROZEN_MS as f64 / 2.0, "it stood still for {stood} ms");
    world.host.drain().await;
}

/// Events of a function that is forked do not wait for each other, however busy the machine is.
#[tokio::test(flavor = "multi_thread")]
async fn a_burst_is_forked_on_a_busy_machine_too() {
    const EVENTS: usize = 8;
    let function =
        Function::js("exports.handler = () => new Promise((done) => setTimeout(done, 3000, null))");
    let world = Arc::new(World::with(|config| config.is_saturated = || true));
    world.template(&function).await.unwrap();
    let function = Arc::new(function);
    let events: Vec<_> = (0..EVENTS)
        .map(|_| {
            let (world, function) = (Arc::clone(&world), Arc::clone(&function));
            base::task::spawn("event", async move {
                world.invoke(&function).await.0.unwrap();
            })
        })
        .collect();
    let (clock, mut busy) = (SystemClock::new(), 0);
    while events.iter().any(|event| !event.is_finished()) {
        busy = busy.max(world.host.up(&function.spec));
        base::sleep(&clock, Duration::from_millis(10)).await;
    }
    for event in events {
        event.await.unwrap();
    }
    assert_eq!(busy, EVENTS);
    world.host.drain().await;
}

/// What is provisioned is ready before the first event, and stays when it is idle.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_provisioned_is_ready() {
    let function = Function::js("exports.handler = async () => process.pid");
    let world = World::new();
    world.host.provision(&[(Arc::clone(&function.spec), 3)]);
    let clock = SystemClock::new();
    while world.host.up(&function.spec) < 3 {
        base::sleep(&clock, Duration::from_millis(10)).await;
    }
    world.host.end_idle();
    assert_eq!(world.host.stats().idle, 3);
    let (answer, _) = world.invoke(&function).await;
    assert!(answer.is_ok());
    world.host.provision(&[]);
    world.host.end_idle();
    assert_eq!(world.host.stats().idle, 0);
    world.host.drain().await;
}

/// A program may end before the launcher has noticed that it was there.
#[tokio::test(flavor = "multi_thread")]
async fn who_ends_at_once_was_there() {
    use host::Sandbox as _;
    use std::os::unix::process::ExitStatusExt as _;
    let sandbox = crate::sandbox();
    for _ in 0..200 {
        let launch = host::conformance::launch("exit 7");
        let mut process = sandbox.launch(launch).await.unwrap();
        assert_eq!(process.running.wait().await.unwrap().into_raw(), 7 << 8);
    }
}

/// C libraries keep every value that `setenv` was given: a variable that each event changes would
/// fill the memory of a function that is busy for long.
#[tokio::test(flavor = "multi_thread")]
async fn the_trace_of_an_event_takes_the_place_of_the_last() {
    let function = Function::py(
        "import ctypes, os\n\
         getenv = ctypes.CDLL(None).getenv\n\
         getenv.restype = ctypes.c_void_p\n\
         def handler(event, context):\n\
        \x20   place = getenv(b'_X_AMZN_TRACE_ID')\n\
        \x20   seen = os.environ['_X_AMZN_TRACE_ID']\n\
        \x20   return [place, seen, ctypes.string_at(place).decode()]\n",
    );
    let world = World::new();
    let mut places = Vec::new();
    for trace in ["Root=1-one;Sampled=0", "Root=1-two;Parent=of-the-second;Sampled=1"] {
        let answer = world.trace(&function, trace).await;
        assert_eq!((&answer[1], &answer[2]), (&trace.into(), &trace.into()));
        places.push(answer[0].clone());
    }
    assert_eq!(places[0], places[1]);
    world.host.drain().await;
}

/// Whatever the event before it has done to the variable, in the process and in its children.
#[tokio::test(flavor = "multi_thread")]
async fn each_event_has_its_trace() {
    let functions = [
        Function::js(
            "const { execFileSync } = require('child_process');
            const acts = [
                () => delete process.env._X_AMZN_TRACE_ID,
                () => { process.env._X_AMZN_TRACE_ID = 'mine'; },
            ];
            exports.handler = async () => {
                const child = execFileSync('/usr/bin/printenv', ['_X_AMZN_TRACE_ID']);
                const seen = [process.env._X_AMZN_TRACE_ID, child.toString().trim()];
                acts.push(acts.shift());
                acts[0]();
                return seen;
            };",
        ),
        Function::py(
            "import os, subprocess\n\
             acts = [lambda: os.environ.pop('_X_AMZN_TRACE_ID'),\n\
            \x20       lambda: os.environ.update(_X_AMZN_TRACE_ID='mine')]\n\
             def handler(event, context):\n\
            \x20   child = subprocess.check_output(['/usr/bin/printenv', '_X_AMZN_TRACE_ID'])\n\
            \x20   seen = [os.environ['_X_AMZN_TRACE_ID'], child.decode().strip()]\n\
            \x20   acts.append(acts.pop(0))\n\
            \x20   acts[0]()\n\
            \x20   return seen\n",
        ),
    ];
    let world = World::new();
    let long = format!("Root=1-{}", "x".repeat(600));
    for function in &functions {
        for trace in ["Root=1-one", &long, "Root=1-three;Sampled=0", "Root=1-four", &long] {
            assert_eq!(world.trace(function, trace).await, serde_json::json!([trace, trace]));
        }
    }
    world.host.drain().await;
}
