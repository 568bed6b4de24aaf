use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::BoxFuture;
use kit::{Error, Kit};
use tokio::sync::Semaphore;
use tracing::warn;

use crate::{Due, Line};

/// How much of a line is worked on at once.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Entries given to one call of the handler.
    pub batch_max: usize,
    /// Calls of the handler at the same time.
    pub concurrent_max: u32,
}

/// What works off a line.
pub trait Handler: Send + Sync + 'static {
    /// Does the work and settles each entry, in the transaction that records its end. What is
    /// not settled, or what fails, is offered again after a second.
    fn deliver<'a>(&'a self, batch: &'a [Due]) -> BoxFuture<'a, Result<(), Error>>;
}

/// The lines of a machine and those who work them off.
#[derive(Clone)]
pub struct Delivery(Arc<Inner>);

struct Inner {
    kit: Kit,
    served: Mutex<Vec<Served>>,
}

#[derive(Clone)]
struct Served {
    line: Line,
    limits: Limits,
    handler: Arc<dyn Handler>,
    /// A permit for each call that may run.
    free: Arc<Semaphore>,
}

/// How long unsettled work rests before it is offered again.
const REST: Duration = Duration::from_secs(1);

impl Delivery {
    /// An index without lines.
    pub fn new(kit: &Kit) -> Delivery {
        Delivery(Arc::new(Inner { kit: kit.clone(), served: Mutex::default() }))
    }

    /// The line of this name. Names are persisted.
    pub fn line(&self, name: &'static str) -> Line {
        Line::new(&self.0.kit, name)
    }

    /// Declares who works off a line. Work begins with [`Delivery::start`].
    pub fn serve(&self, line: &Line, limits: Limits, handler: Arc<dyn Handler>) {
        let free = Arc::new(Semaphore::new(limits.concurrent_max as usize));
        let mut served = self.0.served.lock().unwrap_or_else(PoisonError::into_inner);
        served.push(Served { line: line.clone(), limits, handler, free });
    }

    /// Starts working off all lines, until the machine closes.
    pub fn start(&self) {
        for served in self.served() {
            let kit = self.0.kit.clone();
            base::task::spawn("delivery line", async move { work_off(kit, served).await });
        }
    }

    /// Waits until every call that runs has ended. To be called after closing has begun.
    pub async fn drain(&self) {
        for served in self.served() {
            let _all = served.free.acquire_many(served.limits.concurrent_max).await;
        }
    }

    fn served(&self) -> Vec<Served> {
        self.0.served.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn work_off(kit: Kit, served: Served) {
    let Served { line, limits, handler, free } = served;
    let mut closing = kit.closing();
    let mut changes = line.watch();
    loop {
        let permit = tokio::select! {
            Ok(permit) = Arc::clone(&free).acquire_owned() => permit,
            () = closing.wait() => return,
        };
        match line.take(limits.batch_max, kit.now()).await {
            Ok(batch) if batch.is_empty() => {
                drop(permit);
                let next = line.next_due().await.unwrap_or_default();
                let due = async {
                    match next {
                        Some(due) => kit.clock.sleep_until(due).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    () = due => {}
                    () = changes.changed() => {}
                    () = closing.wait() => return,
                }
            }
            Ok(batch) => {
                let (kit, handler, name) = (kit.clone(), Arc::clone(&handler), line.name);
                base::task::spawn("delivery call", async move {
                    let outcome = handler.deliver(&batch).await;
                    drop(permit);
                    if let Err(error) = &outcome {
                        warn!(line = name, %error, "delivery failed, to be offered again");
                    }
                    let unsettled: Vec<Due> =
                        batch.into_iter().filter(|due| !due.is_settled()).collect();
                    if !unsettled.is_empty() {
                        base::sleep(&*kit.clock, REST).await;
                    }
                });
            }
            Err(error) => {
                drop(permit);
                warn!(line = line.name, %error, "the line cannot be read");
                tokio::select! {
                    () = base::sleep(&*kit.clock, REST) => {}
                    () = closing.wait() => return,
                }
            }
        }
    }
}
