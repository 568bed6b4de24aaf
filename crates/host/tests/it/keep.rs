//! How long slots are kept: learned from when events come, and as memory lasts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base::{SystemClock, Time, VirtualClock, sleep};
use serde_json::json;

use crate::world::{Function, World};

const MINUTE: Duration = Duration::from_secs(60);

fn virtual_world(change: impl FnOnce(&mut host::Config)) -> (World, Arc<VirtualClock>) {
    let clock = Arc::new(VirtualClock::new(Time::from_millis(1_000_000)));
    let world = World::with_clock(Arc::clone(&clock) as _, change);
    (world, clock)
}

/// A function of its own name: habits are those of a function, not of a revision.
fn named(name: &str) -> Function {
    let files = [("index.js", "exports.handler = async () => 1")];
    Function::with(&files, "index.handler", |spec| {
        spec.arn.resource = format!("function:{name}");
    })
}

/// Lets time pass, in steps in which everybody has a turn.
async fn pass(clock: &VirtualClock, time: Duration) {
    let step = Duration::from_secs(5);
    for _ in 0..time.as_secs() / step.as_secs() {
        clock.advance(step);
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }
}

/// Waits until so many slots are idle.
async fn idle(world: &World, count: usize) {
    let clock = SystemClock::new();
    for _ in 0..500 {
        if world.host.stats().idle == count && world.host.stats().busy == 0 {
            return;
        }
        sleep(&clock, Duration::from_millis(10)).await;
    }
    panic!("{count} were expected: {:?}", world.host.stats());
}

#[tokio::test]
async fn a_slot_of_which_nothing_is_known_is_kept_for_ten_minutes() {
    let (world, clock) = virtual_world(|_config| {});
    world.invoke(&Function::js("exports.handler = async () => 1"), json!({})).await;
    pass(&clock, 9 * MINUTE).await;
    idle(&world, 1).await;
    pass(&clock, 2 * MINUTE).await;
    idle(&world, 0).await;
}

#[tokio::test]
async fn who_comes_every_five_minutes_finds_a_slot_that_was_not_there_all_the_time() {
    let (world, clock) = virtual_world(|_config| {});
    let function = Function::js("exports.handler = async () => 1");
    for _ in 0..10 {
        world.invoke(&function, json!({})).await;
        pass(&clock, 5 * MINUTE).await;
    }
    world.invoke(&function, json!({})).await;
    pass(&clock, MINUTE).await;
    idle(&world, 0).await;
    pass(&clock, 2 * MINUTE).await;
    // Not further than it is started: its process takes real time to load, and has 10 s.
    for _ in 0..20 {
        if world.host.stats().busy > 0 {
            break;
        }
        pass(&clock, Duration::from_secs(5)).await;
    }
    idle(&world, 1).await;
    // And if nobody comes it ends, and no other is started.
    pass(&clock, 4 * MINUTE).await;
    idle(&world, 0).await;
    pass(&clock, 10 * MINUTE).await;
    idle(&world, 0).await;
}

#[tokio::test]
async fn who_comes_often_keeps_its_slot_only_as_long_as_that() {
    let (world, clock) = virtual_world(|_config| {});
    let function = Function::js("exports.handler = async () => 1");
    for _ in 0..20 {
        world.invoke(&function, json!({})).await;
        pass(&clock, Duration::from_secs(40)).await;
        idle(&world, 1).await;
    }
    pass(&clock, MINUTE).await;
    idle(&world, 0).await;
}

#[tokio::test]
async fn where_memory_is_short_idle_slots_make_room() {
    static SHORT: AtomicBool = AtomicBool::new(false);
    let (world, clock) = virtual_world(|config| config.is_short = || SHORT.load(Ordering::SeqCst));
    let functions: Vec<_> =
        (0..3).map(|_| Function::js("exports.handler = async () => 1")).collect();
    for function in &functions {
        world.invoke(function, json!({})).await;
    }
    idle(&world, 3).await;
    SHORT.store(true, Ordering::SeqCst);
    // One more, in the stead of another.
    world.invoke(&Function::js("exports.handler = async () => 2"), json!({})).await;
    idle(&world, 3).await;
    pass(&clock, MINUTE).await;
    idle(&world, 0).await;
    // What is needed is started all the same.
    assert_eq!(world.invoke(&functions[0], json!({})).await, (json!(1), false));
}

#[tokio::test]
async fn the_slot_that_would_wait_longest_makes_room() {
    let (world, clock) = virtual_world(|config| config.slots_max = 2);
    let (rare, often) = (named("rare"), named("often"));
    for _ in 0..10 {
        world.invoke(&often, json!({})).await;
        pass(&clock, Duration::from_secs(10)).await;
    }
    // Used later, but nobody knows when again.
    world.invoke(&rare, json!({})).await;
    world.invoke(&named("third"), json!({})).await;
    let live: Vec<_> = world.host.live().into_iter().filter(|live| live.idle > 0).collect();
    let has = |function: &Function| live.iter().any(|live| live.spec == function.spec);
    assert!(has(&often) && !has(&rare), "{live:?}");
}
