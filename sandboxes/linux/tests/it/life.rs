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
