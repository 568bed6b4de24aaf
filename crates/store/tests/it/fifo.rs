//! Every entry is given out once, none is lost, and no scan wades through what is done.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use store::fifo::{Claim, Fifo};
use store::{Error, Store, Tx};
use tokio::sync::Semaphore;

use crate::faulty::Faulty;
use crate::{account, delete, key, prefix, put, run, store, store_on};

async fn put_all(store: &Store, numbers: std::ops::Range<u64>) {
    let write = |tx: Tx| {
        let numbers = numbers.clone();
        async move {
            numbers.for_each(|number| tx.put(key(number), "value"));
            Ok::<_, Error>(())
        }
    };
    store.transact(account(), write).await.unwrap();
}

async fn consume(store: &Store, claims: &[Claim]) -> usize {
    let consume = |tx: Tx| async move {
        let mut consumed = 0;
        for claim in claims {
            consumed += usize::from(claim.consume(&tx).await?.is_some());
        }
        Ok::<_, Error>(consumed)
    };
    store.transact(account(), consume).await.unwrap()
}

fn number(claim: &Claim) -> u64 {
    claim.key().after(&prefix()).unwrap().u64().unwrap()
}

async fn claim(fifo: &Fifo, limit: usize) -> Vec<Claim> {
    fifo.claim(limit, None).await.unwrap()
}

fn numbers(claims: &[Claim]) -> Vec<u64> {
    claims.iter().map(number).collect()
}

#[tokio::test]
async fn an_entry_is_its_claimants_until_released_or_consumed() {
    let store = store().await;
    let fifo = store.fifo(prefix());
    put_all(&store, 0..6).await;
    let first = claim(&fifo, 2).await;
    let second = claim(&store.fifo(prefix()), 3).await;
    assert_eq!((numbers(&first), numbers(&second)), (vec![0, 1], vec![2, 3, 4]));
    drop(first);
    let again = claim(&fifo, 9).await;
    assert_eq!(numbers(&again), [0, 1, 5]);
    assert_eq!(consume(&store, &second).await, 3);
    drop(second);
    drop(again);
    assert_eq!(numbers(&claim(&fifo, 9).await), [0, 1, 5]);
}

#[tokio::test]
async fn entries_due_later_wait_and_the_first_can_be_seen() {
    let store = store().await;
    let fifo = store.fifo(prefix());
    assert_eq!(fifo.first().await.unwrap(), None);
    put_all(&store, 10..13).await;
    assert_eq!(fifo.first().await.unwrap(), Some(key(10)));
    assert!(fifo.claim(9, Some(&key(10))).await.unwrap().is_empty());
    let due = fifo.claim(9, Some(&key(12))).await.unwrap();
    assert_eq!(numbers(&due), [10, 11]);
    assert_eq!(fifo.first().await.unwrap(), Some(key(12)));
    put(&store, key(5)).await.unwrap();
    assert_eq!(fifo.first().await.unwrap(), Some(key(5)));
    assert_eq!(numbers(&fifo.claim(9, Some(&key(12))).await.unwrap()), [5]);
}

#[tokio::test]
async fn what_somebody_else_deleted_is_not_consumed() {
    let store = store().await;
    let fifo = store.fifo(prefix());
    put_all(&store, 0..2).await;
    let claims = claim(&fifo, 2).await;
    delete(&store, key(0)).await.unwrap();
    assert_eq!(consume(&store, &claims).await, 1);
    drop(claims);
    assert!(claim(&fifo, 2).await.is_empty());
}

#[tokio::test]
async fn an_entry_put_again_under_its_key_is_given_out_again() {
    let store = store().await;
    let fifo = store.fifo(prefix());
    put_all(&store, 0..1).await;
    let claims = claim(&fifo, 1).await;
    let taken = &claims;
    let swap = |tx: Tx| async move {
        taken[0].consume(&tx).await?;
        tx.put(key(0), "again");
        Ok::<_, Error>(())
    };
    store.transact(account(), swap).await.unwrap();
    let again = claim(&fifo, 1).await;
    assert_eq!(again[0].value(), "again");
    // The old claim has ended: letting go of it must not release what is another's now.
    drop(claims);
    assert!(claim(&fifo, 1).await.is_empty());
}

#[tokio::test]
async fn a_put_or_a_release_wakes() {
    let store = store().await;
    let fifo = store.fifo(prefix());
    let mut changes = fifo.watch();
    put_all(&store, 0..1).await;
    changes.changed().await;
    let claims = claim(&fifo, 1).await;
    drop(claims);
    changes.changed().await;
}

/// The scan has read the engine; before it settles, an entry is committed that it has not seen.
#[tokio::test]
async fn an_entry_committed_during_a_scan_is_not_lost() {
    let mut engine = Faulty::new();
    // To open the store takes one scan.
    engine.scan_gate = Some(Semaphore::new(1));
    let engine = Arc::new(engine);
    let store = store_on(engine.clone()).await;
    let fifo = store.fifo(prefix());
    put(&store, key(10)).await.unwrap();
    let scan = {
        let fifo = fifo.clone();
        run(async move { claim(&fifo, 9).await })
    };
    // Lets the scan come to the gate, where it has read and waits.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    put(&store, key(20)).await.unwrap();
    engine.scan_gate.as_ref().unwrap().add_permits(9);
    assert_eq!(numbers(&scan.await.unwrap()), [10, 20]);
}

#[tokio::test]
async fn one_scan_serves_many_claims() {
    let engine = Arc::new(Faulty::new());
    let store = store_on(engine.clone()).await;
    let opened = engine.scans.load(Ordering::Relaxed);
    let fifo = store.fifo(prefix());
    put_all(&store, 0..30).await;
    for number in 0..30 {
        let claims = claim(&fifo, 1).await;
        assert_eq!(numbers(&claims), [number]);
        consume(&store, &claims).await;
    }
    assert_eq!(engine.scans.load(Ordering::Relaxed), opened + 1);
}

#[derive(Debug, Clone)]
enum Step {
    Put(u64),
    Delete(u64),
    Claim {
        limit: usize,
        until: Option<u64>,
    },
    /// Consumes the claim held longest.
    Consume,
    /// Lets go of the claim held longest.
    Release,
    First,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..100u64).prop_map(Step::Put),
        2 => (0..100u64).prop_map(Step::Delete),
        3 => (1..4usize, proptest::option::of(0..100u64))
            .prop_map(|(limit, until)| Step::Claim { limit, until }),
        2 => Just(Step::Consume),
        1 => Just(Step::Release),
        1 => Just(Step::First),
    ]
}

/// What is there and nobody's is given out from the front, whatever was read ahead.
async fn as_the_model_does(steps: Vec<Step>) {
    let store = store().await;
    let fifo = store.fifo(prefix());
    let mut there = BTreeSet::new();
    let mut held: VecDeque<Claim> = VecDeque::new();
    for step in steps {
        let is_free = |number: &u64| !held.iter().any(|claim| self::number(claim) == *number);
        match step {
            Step::Put(number) => {
                put(&store, key(number)).await.unwrap();
                there.insert(number);
            }
            Step::Delete(number) => {
                delete(&store, key(number)).await.unwrap();
                there.remove(&number);
            }
            Step::Claim { limit, until } => {
                let end = until.unwrap_or(u64::MAX);
                let free = there.range(..end).copied().filter(is_free);
                let expected: Vec<u64> = free.take(limit).collect();
                let claims = fifo.claim(limit, until.map(key).as_ref()).await.unwrap();
                assert_eq!(numbers(&claims), expected);
                held.extend(claims);
            }
            Step::Consume => {
                let Some(claim) = held.pop_front() else { continue };
                let was_there = there.remove(&number(&claim));
                assert_eq!(consume(&store, &[claim]).await, usize::from(was_there));
            }
            Step::Release => drop(held.pop_front()),
            Step::First => {
                let expected = there.iter().copied().find(is_free);
                assert_eq!(fifo.first().await.unwrap(), expected.map(key));
            }
        }
    }
}

proptest! {
    #[test]
    fn a_fifo_does_as_its_model(steps in proptest::collection::vec(step(), 1..200)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(as_the_model_does(steps));
    }
}

/// Entries a drained queue may visit for each that was in it: once to claim it, and a little for
/// the pages' ends.
const VISITS_PER_ENTRY_MAX: u64 = 2;

#[tokio::test]
async fn draining_a_long_queue_visits_each_entry_about_once() {
    const ENTRIES: u64 = 200_000;
    let engine = Arc::new(Faulty::new());
    let store = store_on(engine.clone()).await;
    let fifo = store.fifo(prefix());
    for start in (0..ENTRIES).step_by(10_000) {
        put_all(&store, start..start + 10_000).await;
    }
    let mut drained = 0;
    loop {
        let claims = claim(&fifo, 100).await;
        if claims.is_empty() {
            break;
        }
        assert_eq!(number(&claims[0]), drained);
        drained += consume(&store, &claims).await as u64;
    }
    assert_eq!(drained, ENTRIES);
    let visited = engine.visited.load(Ordering::Relaxed);
    assert!(visited <= ENTRIES * VISITS_PER_ENTRY_MAX, "{visited} visited");
}

/// A queue that is never long but always busy: the done ones must not add up.
#[tokio::test]
async fn a_busy_queue_does_not_get_slower() {
    let engine = Arc::new(Faulty::new());
    let store = store_on(engine.clone()).await;
    let fifo = store.fifo(prefix());
    for round in 0..2_000u64 {
        put_all(&store, round * 3..round * 3 + 3).await;
        let claims = claim(&fifo, 3).await;
        assert_eq!(consume(&store, &claims).await, 3);
    }
    let visited = engine.visited.load(Ordering::Relaxed);
    assert!(visited <= 6_000 * VISITS_PER_ENTRY_MAX, "{visited} visited");
}

/// Producers put in no particular order, below and above the watermark; consumers take, and now
/// and then let go. Everything is consumed exactly once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_between_producers_and_consumers() {
    const PRODUCERS: u64 = 4;
    const EACH: u64 = 1_000;
    let store = store().await;
    let producers: Vec<_> = (0..PRODUCERS)
        .map(|producer| {
            let store = store.clone();
            run(async move {
                for n in 0..EACH {
                    // A multiplier prime to the number of entries visits each once, scattered.
                    let number = (n * 607 % EACH) * PRODUCERS + producer;
                    put(&store, key(number)).await.unwrap();
                }
            })
        })
        .collect();
    let consumed = Arc::new(AtomicU64::new(0));
    let taken = Arc::new(Mutex::new(Vec::new()));
    let consumers: Vec<_> = (0..4usize)
        .map(|consumer| {
            let (store, consumed, taken) = (store.clone(), consumed.clone(), taken.clone());
            run(async move {
                let fifo = store.fifo(prefix());
                let mut turn = consumer;
                while consumed.load(Ordering::Relaxed) < PRODUCERS * EACH {
                    let claims = claim(&fifo, 1 + turn % 7).await;
                    turn += 1;
                    if turn % 5 == 0 {
                        continue; // lets go of all
                    }
                    if claims.is_empty() {
                        tokio::task::yield_now().await;
                        continue;
                    }
                    taken.lock().unwrap().extend(numbers(&claims));
                    let count = consume(&store, &claims).await;
                    assert_eq!(count, claims.len());
                    consumed.fetch_add(count as u64, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for task in producers.into_iter().chain(consumers) {
        task.await.unwrap();
    }
    let taken = taken.lock().unwrap();
    assert_eq!(taken.len() as u64, PRODUCERS * EACH);
    assert_eq!(taken.iter().collect::<HashSet<_>>().len(), taken.len());
}
