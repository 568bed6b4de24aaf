//! Due work on the memory engine and a virtual clock.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base::{BoxFuture, SeededRandom, Time, VirtualClock};
use delivery::{Delivery, Due, Handler, Limits};
use kit::{Error, Kit, Parts};
use serde::{Deserialize, Serialize};
use store::{Blobs, Record, Store};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Work {
    name: String,
    failures: u32,
}

impl Record for Work {
    const VERSION: u8 = 1;
}

async fn kit(clock: &Arc<VirtualClock>) -> Kit {
    let engine = Arc::new(engine_memory::Memory::default());
    let clock: Arc<dyn base::Clock> = clock.clone();
    Kit::new(Parts {
        store: Store::open(engine, Blobs::memory(), "test").await.unwrap(),
        clock,
        random: Arc::new(SeededRandom::new(1)),
        account: "000000000000".parse().unwrap(),
        region: "us-east-1".parse().unwrap(),
        cache: std::env::temp_dir(),
    })
}

/// Fails the first `failing` calls, then settles; counts what it was given.
struct Counting {
    kit: Kit,
    failing: usize,
    calls: AtomicUsize,
    settled: AtomicUsize,
}

impl Handler for Counting {
    fn deliver<'a>(&'a self, batch: &'a [Due]) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            if self.calls.fetch_add(1, Ordering::SeqCst) < self.failing {
                return Err(Error::sender("Failing", "on purpose"));
            }
            self.kit
                .store
                .transact(&self.kit.account, |tx| async move {
                    for due in batch {
                        let _work: Work = due.work()?;
                        due.done(&tx).await?;
                    }
                    Ok::<_, Error>(())
                })
                .await?;
            self.settled.fetch_add(batch.len(), Ordering::SeqCst);
            Ok(())
        })
    }
}

struct Bench {
    clock: Arc<VirtualClock>,
    kit: Kit,
    line: delivery::Line,
    handler: Arc<Counting>,
    delivery: Delivery,
}

async fn bench(failing: usize) -> Bench {
    let clock = Arc::new(VirtualClock::new(Time::from_millis(1_000_000)));
    let kit = kit(&clock).await;
    let delivery = Delivery::new(&kit);
    let line = delivery.line("test.line");
    let (calls, settled) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let handler = Arc::new(Counting { kit: kit.clone(), failing, calls, settled });
    delivery.serve(&line, Limits { batch_max: 10, concurrent_max: 4 }, handler.clone());
    delivery.start();
    Bench { clock, kit, line, handler, delivery }
}

impl Bench {
    async fn schedule(&self, after: Duration) -> delivery::Ticket {
        let line = &self.line;
        let due = self.kit.now() + after;
        self.kit
            .store
            .transact(&self.kit.account, |tx| async move {
                line.schedule(&tx, due, &Work { name: "a".into(), failures: 0 })
            })
            .await
            .unwrap()
    }

    /// Lets everything that can run now run.
    async fn settle(&self) {
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
    }

    fn settled(&self) -> usize {
        self.handler.settled.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn work_is_done_when_it_is_due_and_not_before() {
    let bench = bench(0).await;
    bench.schedule(Duration::from_secs(60)).await;
    bench.settle().await;
    assert_eq!(bench.settled(), 0);
    bench.clock.advance(Duration::from_millis(59_999));
    bench.settle().await;
    assert_eq!(bench.settled(), 0);
    bench.clock.advance(Duration::from_millis(1));
    bench.settle().await;
    assert_eq!(bench.settled(), 1);
}

#[tokio::test]
async fn earlier_work_that_comes_later_is_not_waited_for() {
    let bench = bench(0).await;
    bench.schedule(Duration::from_secs(60)).await;
    bench.settle().await;
    bench.schedule(Duration::from_secs(1)).await;
    bench.clock.advance(Duration::from_secs(1));
    bench.settle().await;
    assert_eq!(bench.settled(), 1);
}

#[tokio::test]
async fn failed_work_is_offered_again_after_a_second() {
    let bench = bench(2).await;
    bench.schedule(Duration::ZERO).await;
    bench.settle().await;
    assert_eq!(bench.handler.calls.load(Ordering::SeqCst), 1);
    for _ in 0..2 {
        bench.clock.advance(Duration::from_secs(1));
        bench.settle().await;
    }
    assert_eq!(bench.settled(), 1);
    bench.clock.advance(Duration::from_secs(100));
    bench.settle().await;
    assert_eq!(bench.handler.calls.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn cancelled_work_is_never_done() {
    let bench = bench(0).await;
    let ticket = bench.schedule(Duration::from_secs(5)).await;
    let line = &bench.line;
    bench
        .kit
        .store
        .transact(&bench.kit.account, |tx| async move {
            line.cancel(&tx, ticket);
            Ok::<_, store::Error>(())
        })
        .await
        .unwrap();
    bench.clock.advance(Duration::from_secs(10));
    bench.settle().await;
    assert_eq!(bench.settled(), 0);
}

#[tokio::test]
async fn after_closing_nothing_new_begins_and_the_drain_ends() {
    let bench = bench(0).await;
    bench.kit.close();
    bench.settle().await;
    bench.schedule(Duration::ZERO).await;
    bench.settle().await;
    bench.delivery.drain().await;
    assert_eq!(bench.settled(), 0);
}
