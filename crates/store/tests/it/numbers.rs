use std::sync::Arc;
use std::sync::atomic::Ordering;

use base::Time;
use engine_memory::Memory;
use store::{Engine, Store};

use crate::faulty::Faulty;
use crate::{key, put, store_on};

const NOON: Time = Time::from_millis(1_700_000_000_000);
const MORNING: Time = Time::from_millis(1_699_990_000_000);

/// Stores a record under a number given now.
async fn number(store: &Store, now: Time) -> u64 {
    let number = store.next_number(now);
    put(store, key(number)).await.unwrap();
    number
}

#[tokio::test]
async fn no_number_is_given_again_after_the_clock_was_set_back() {
    let engine: Arc<dyn Engine> = Arc::new(Memory::new());
    let mut last = 0;
    for now in [NOON, MORNING, NOON, MORNING] {
        let store = store_on(Arc::clone(&engine)).await;
        for _ in 0..3 {
            let next = number(&store, now).await;
            assert!(next > last, "{next} after {last}");
            last = next;
        }
    }
}

#[tokio::test]
async fn numbers_go_by_a_clock_that_goes_on() {
    let engine: Arc<dyn Engine> = Arc::new(Memory::new());
    number(&store_on(Arc::clone(&engine)).await, NOON).await;
    let later = NOON + std::time::Duration::from_millis(100);
    let next = number(&store_on(engine).await, later).await;
    assert_eq!(base::Sequence::time_of(next), later);
}

#[tokio::test]
async fn what_makes_numbers_safe_costs_no_commit_and_few_bytes() {
    let engine = Arc::new(Faulty::new());
    let store = store_on(Arc::clone(&engine) as Arc<dyn Engine>).await;
    for _ in 0..1_000 {
        number(&store, NOON).await;
    }
    assert_eq!(engine.commits.load(Ordering::Relaxed), 1_000);
    assert_eq!(engine.written.load(Ordering::Relaxed), 1_001, "one mark");
}
