use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use base::BoxFuture;

use crate::{Ctx, Error, Kit};

/// How often a worker ticks when its last tick found nothing wrong.
#[derive(Debug, Clone, Copy)]
pub struct Every(Duration);

impl Every {
    /// Every so many seconds.
    pub const fn secs(secs: u64) -> Every {
        Every(Duration::from_secs(secs))
    }

    /// Every so many milliseconds.
    pub const fn millis(millis: u64) -> Every {
        Every(Duration::from_millis(millis))
    }
}

/// `async fn(&Ctx) -> Result<(), Error>`: one bounded step.
pub trait Tick<'a>: Send + Sync + 'static {
    type Future: Future<Output = Result<(), Self::Error>> + Send + 'a;
    type Error: Into<Error>;
    fn tick(&self, ctx: &'a Ctx) -> Self::Future;
}

impl<'a, E, F, Fut> Tick<'a> for F
where
    F: Fn(&'a Ctx) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), E>> + Send + 'a,
    E: Into<Error>,
{
    type Future = Fut;
    type Error = E;
    fn tick(&self, ctx: &'a Ctx) -> Fut {
        self(ctx)
    }
}

type Step = Arc<dyn Fn(Ctx) -> BoxFuture<'static, Result<(), Error>> + Send + Sync>;

/// Declared background work of a service. An error is logged and the next tick comes as usual;
/// on close the running tick ends first.
#[derive(Clone)]
pub struct Worker {
    service: &'static str,
    name: &'static str,
    every: Every,
    state: Arc<dyn Any + Send + Sync>,
    step: Step,
}

impl Worker {
    pub(crate) fn new<F>(
        service: &'static str,
        name: &'static str,
        every: Every,
        state: Arc<dyn Any + Send + Sync>,
        tick: F,
    ) -> Worker
    where
        F: for<'a> Tick<'a> + Copy,
    {
        let step: Step =
            Arc::new(move |ctx| Box::pin(async move { tick.tick(&ctx).await.map_err(Into::into) }));
        Worker { service, name, every, state, step }
    }

    /// The worker's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Ticks until the machine closes.
    pub async fn run(self, kit: Kit) {
        let mut closing = kit.closing();
        while !closing.begun() {
            let ctx = Ctx::internal(&kit, self.service, self.name, Arc::clone(&self.state));
            if let Err(error) = (self.step)(ctx).await {
                tracing::warn!(service = self.service, worker = self.name, %error, "tick failed");
            }
            tokio::select! {
                () = base::sleep(&*kit.clock, self.every.0) => {}
                () = closing.wait() => {}
            }
        }
    }
}
