//! Slots: how many there are, how long they live, who gets them.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use host::{FunctionSpec, HostError, Stats};
use serde_json::json;

use crate::world::{Function, World, invocation};

const PID: &str = "exports.handler = async (e) => {
    if (e.wait) await new Promise((r) => setTimeout(r, e.wait));
    return process.pid
}";

#[tokio::test]
async fn a_slot_is_used_again_and_never_by_another_revision() {
    let world = World::new();
    let (one, two) = (Function::js(PID), Function::js(PID));
    let first = world.invoke(&one, json!({})).await;
    assert_eq!(world.invoke(&one, json!({})).await, first);
    assert_ne!(world.invoke(&two, json!({})).await, first);
}

#[tokio::test]
async fn events_at_the_same_time_run_in_slots_of_their_own() {
    let world = World::new();
    let function = Function::js(PID);
    let event = || world.invoke(&function, json!({ "wait": 200 }));
    let (a, b, c) = tokio::join!(event(), event(), event());
    assert!(a != b && b != c && a != c, "{a:?} {b:?} {c:?}");
    assert_eq!(world.host.stats().idle, 3);
}

#[tokio::test]
async fn short_events_share_a_slot_instead_of_starting_many() {
    let world = World::with(|config| config.slots_eager = 1);
    let function = Function::js(PID);
    for _ in 0..3 {
        world.invoke(&function, json!({})).await;
    }
    let mut tasks = Vec::new();
    for _ in 0..20 {
        tasks.push(world.try_invoke(&function, json!({})));
    }
    for done in futures(tasks).await {
        done.unwrap();
    }
    assert!(world.host.stats().idle < 10, "{:?}", world.host.stats());
}

#[tokio::test]
async fn brief_events_run_one_at_a_time_each_with_its_own_answer() {
    let world = World::with(|config| (config.slots_eager, config.slots_brief) = (2, 1));
    // One at a time is what a handler may rely on, also across its own waiting.
    let function = Function::js(
        "let runs = 0;
         exports.handler = async (e) => {
             if (++runs > 1) throw new Error('two at a time');
             await null;
             runs--;
             return e.n;
         }",
    );
    for n in 0..200 {
        world.invoke(&function, json!({ "n": n })).await;
    }
    let all = (0..300).map(|n| world.invoke(&function, json!({ "n": n }))).collect();
    for (n, (answer, failed)) in futures(all).await.into_iter().enumerate() {
        assert!(!failed && answer == n, "{n}: {answer}");
    }
}

#[tokio::test]
async fn events_told_to_a_slot_that_ends_run_in_another() {
    let world = World::with(|config| (config.slots_eager, config.slots_brief) = (1, 1));
    let function = Function::js(
        "exports.handler = async (e) => {
             if (e.exit) process.exit(3);
             return e.n;
         }",
    );
    for n in 0..200 {
        world.invoke(&function, json!({ "n": n })).await;
    }
    let event = |n| world.invoke(&function, json!({ "n": n, "exit": n % 50 == 10 }));
    let ended = futures((0..200).map(event).collect()).await;
    for (n, (answer, failed)) in ended.into_iter().enumerate() {
        assert_eq!(failed, n % 50 == 10, "{n}: {answer}");
        assert!(failed || answer == n, "{n}: {answer}");
    }
}

#[tokio::test]
async fn an_event_that_is_stuck_among_brief_ones_holds_up_few() {
    let world = World::with(|config| (config.slots_eager, config.slots_brief) = (2, 1));
    let function = Function::js(
        "exports.handler = async (e) => {
             while (e.stuck && !require('fs').existsSync('open')) {
                 await new Promise((r) => setTimeout(r, 10));
             }
             return e.n;
         }",
    );
    for n in 0..200 {
        world.invoke(&function, json!({ "n": n })).await;
    }
    let (done, mut ended) = tokio::sync::mpsc::unbounded_channel();
    for n in 0..200 {
        let (host, spec, done) = (world.host.clone(), Arc::clone(&function.spec), done.clone());
        let event = invocation(json!({ "n": n, "stuck": n == 20 }));
        base::task::spawn("event", async move {
            done.send(host.invoke(&spec, event).await.unwrap().error).unwrap();
        });
    }
    // It and three that were handed over with it are not among these.
    for _ in 0..196 {
        assert_eq!(ended.recv().await, Some(None));
    }
    std::fs::write(Path::new(&function.folder()).join("open"), "").unwrap();
    for _ in 0..4 {
        assert_eq!(ended.recv().await, Some(None));
    }
}

/// Runs all at once, on this task.
async fn futures<F: Future>(all: Vec<F>) -> Vec<F::Output> {
    let mut all: Vec<_> = all.into_iter().map(|f| (Box::pin(f), None)).collect();
    std::future::poll_fn(|cx| {
        for (future, done) in &mut all {
            if done.is_none()
                && let std::task::Poll::Ready(output) = future.as_mut().poll(cx)
            {
                *done = Some(output);
            }
        }
        if all.iter().all(|(_, done)| done.is_some()) {
            return std::task::Poll::Ready(());
        }
        std::task::Poll::Pending
    })
    .await;
    all.into_iter().filter_map(|(_, done)| done).collect()
}

#[tokio::test]
async fn a_crowd_before_a_cold_function_starts_few_slots_at_a_time() {
    let world = World::with(|config| config.starts_max = 1);
    let function = Function::js(PID);
    let all = (0..40).map(|_| world.invoke(&function, json!({}))).collect();
    let pids: HashSet<u64> =
        futures(all).await.iter().filter_map(|(pid, _)| pid.as_u64()).collect();
    assert!(pids.len() < 10, "{} slots were started", pids.len());
}

#[tokio::test]
async fn on_a_busy_machine_a_function_with_a_slot_gets_another_only_after_waiting() {
    let world = World::with(|config| config.is_saturated = || true);
    let function = Function::js(PID);
    let event = |wait| world.invoke(&function, json!({ "wait": wait }));
    // Where many tests run at once, a start may take longer than one waits. And of a function that
    // is known to be slower than its start nobody expects that waiting for a slot is quicker.
    let first = event(3000).await;
    let (a, b, c) = tokio::join!(event(100), event(100), event(100));
    assert!(a == first && b == first && c == first, "{first:?} {a:?} {b:?} {c:?}");
    let (slow, quick) = tokio::join!(event(6000), event(0));
    assert_ne!(slow, quick, "nobody waits longer than two seconds for a busy slot");
}

#[tokio::test]
async fn a_slot_that_waits_for_its_own_function_does_not_wait_forever() {
    let world = World::with(|config| config.slots_eager = 1);
    let function = Function::js(PID);
    world.invoke(&function, json!({})).await;
    let (slow, quick) = tokio::join!(
        world.invoke(&function, json!({ "wait": 3000 })),
        world.invoke(&function, json!({})),
    );
    assert_ne!(slow, quick, "the second started a slot of its own");
}

#[tokio::test]
async fn beyond_the_limits_one_waits_and_then_is_throttled() {
    let world = World::with(|config| {
        config.slots_max = 1;
        config.waiting_max = 1;
    });
    let (one, two) = (Function::js(PID), Function::js(PID));
    let (first, second, third) = tokio::join!(
        world.try_invoke(&one, json!({ "wait": 300 })),
        world.try_invoke(&two, json!({})),
        world.try_invoke(&two, json!({})),
    );
    first.unwrap();
    second.unwrap();
    let reason = "ConcurrentInvocationLimitExceeded";
    assert_eq!(third.unwrap_err(), HostError::Throttled { reason });
    let stats = world.host.stats();
    assert_eq!((stats.idle, stats.busy, stats.waiting), (1, 0, 0), "the first made room");
}

#[tokio::test]
async fn a_dead_idle_slot_costs_no_event() {
    let world = World::new();
    let function = Function::js(PID);
    let (pid, _) = world.invoke(&function, json!({})).await;
    let killed = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status();
    assert!(killed.unwrap().success());
    // Ended, with all its threads: only then are its pipes closed.
    let threads = || std::fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
    let stat = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    while threads() > 1 || !(stat().is_empty() || stat().contains(") Z")) {}
    let (next, failed) = world.invoke(&function, json!({})).await;
    assert!(!failed && next != pid, "{next}");
}

#[tokio::test]
async fn a_client_that_leaves_costs_no_worker() {
    let world = World::new();
    let function = Function::js(PID);
    let pid = world.invoke(&function, json!({})).await;
    {
        let leaving = world.try_invoke(&function, json!({ "wait": 100 }));
        let gone = tokio::time::timeout(Duration::from_millis(20), leaving).await;
        assert!(gone.is_err(), "it was still running");
    }
    assert_eq!(world.host.stats().busy, 1);
    assert!(world.invoke(&function, json!({ "wait": 1 })).await.0.is_number());
    world.host.drain().await;
    let _same = pid;
    let ends = world.texts().iter().filter(|text| text.starts_with("END")).count();
    assert_eq!(ends, 3, "the event nobody waits for has ended too");
}

#[tokio::test]
async fn retired_revisions_finish_their_event_and_end() {
    let world = World::new();
    let old = Function::js(PID);
    world.invoke(&old, json!({})).await;
    let retire = async {
        while world.host.stats().busy == 0 {
            tokio::task::yield_now().await;
        }
        world.host.retire(&old.spec.arn, Some("new"));
    };
    let (answer, ()) = tokio::join!(world.invoke(&old, json!({ "wait": 100 })), retire);
    assert!(!answer.1);
    assert_eq!((world.host.stats().idle, world.host.stats().busy), (0, 0));

    world.invoke(&old, json!({})).await;
    world.host.retire(&old.spec.arn, Some(&old.spec.revision));
    assert_eq!(world.host.stats().idle, 1, "the revision that is kept");
    world.host.retire(&old.spec.arn, None);
    assert_eq!(world.host.stats().idle, 0);
}

#[tokio::test]
async fn draining_cuts_nothing_off_and_leaves_nothing() {
    let world = World::new();
    let function = Function::js(PID);
    let drain = async {
        while world.host.stats().busy == 0 {
            tokio::task::yield_now().await;
        }
        world.host.drain().await;
    };
    let ((answer, failed), ()) =
        tokio::join!(world.invoke(&function, json!({ "wait": 200 })), drain);
    assert!(answer.is_number() && !failed);
    assert_eq!(world.try_invoke(&function, json!({})).await.unwrap_err(), HostError::Closing);
    assert_eq!(world.host.stats(), Stats::default());
}

#[tokio::test]
async fn a_warm_host_has_a_booted_worker() {
    let world = World::new();
    world.host.warm(&Function::js(PID).spec).await.unwrap();
    assert_eq!(world.host.stats(), Stats { booted: 1, ..Stats::default() });
}

#[tokio::test]
async fn what_cannot_run_here_is_refused_by_name() {
    let world = World::with(|config| config.search_path = "/nowhere".into());
    let ruby = Function::with(&[], "index.handler", |spec| spec.runtime = "ruby3.4".into());
    let refused = world.try_invoke(&ruby, json!({})).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "runtime ruby3.4 cannot be used here: no runtime answers to this name"
    );
    let large = invocation(json!("x".repeat(6 * 1024 * 1024)));
    let spec: &Arc<FunctionSpec> = &ruby.spec;
    let refused = world.host.invoke(spec, large).await.unwrap_err();
    assert!(matches!(refused, HostError::PayloadTooLarge { bytes: 6_291_458, .. }), "{refused}");
}

#[tokio::test]
async fn the_largest_event_and_result_pass() {
    let world = World::new();
    let function = Function::js("exports.handler = async (e) => e");
    let event = json!("x".repeat(6 * 1024 * 1024 - 2));
    let (answer, failed) = world.invoke(&function, event.clone()).await;
    assert!(!failed && answer == event);
}
