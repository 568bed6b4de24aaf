use std::sync::Arc;

use base::{Arn, BoxFuture};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wire::{Input, Reply};

use crate::{Ctx, Error};

/// An operation decoded from a request, with everything `authorize` must know, ready to run.
pub struct Call {
    /// The IAM action, `sqs:SendMessage`.
    pub action: Arc<str>,
    /// Every resource the call touches; empty where AWS has only `*`.
    pub resources: Vec<Arn>,
    /// The operation itself. Dropping it unrun has no effect.
    pub run: BoxFuture<'static, Result<Reply, Error>>,
}

/// `async fn(&Ctx, Input) -> Result<Output, Error>`.
pub trait Handler<'a, I>: Send + Sync + 'static {
    type Output: Serialize;
    type Future: Future<Output = Result<Self::Output, Self::Error>> + Send + 'a;
    type Error: Into<Error>;
    fn call(&self, ctx: &'a Ctx, input: I) -> Self::Future;
}

impl<'a, I, O, E, F, Fut> Handler<'a, I> for F
where
    F: Fn(&'a Ctx, I) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<O, E>> + Send + 'a,
    O: Serialize,
    E: Into<Error>,
{
    type Output = O;
    type Future = Fut;
    type Error = E;
    fn call(&self, ctx: &'a Ctx, input: I) -> Fut {
        self(ctx, input)
    }
}

/// `async fn(&Ctx, wire::Input) -> Result<wire::Reply, Error>`: an operation whose payload is
/// opaque bytes, such as Lambda's Invoke.
pub trait RawHandler<'a>: Send + Sync + 'static {
    type Future: Future<Output = Result<Reply, Self::Error>> + Send + 'a;
    type Error: Into<Error>;
    fn call(&self, ctx: &'a Ctx, input: Input) -> Self::Future;
}

impl<'a, E, F, Fut> RawHandler<'a> for F
where
    F: Fn(&'a Ctx, Input) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Reply, E>> + Send + 'a,
    E: Into<Error>,
{
    type Future = Fut;
    type Error = E;
    fn call(&self, ctx: &'a Ctx, input: Input) -> Fut {
        self(ctx, input)
    }
}

pub(crate) type Prepare = Box<dyn Fn(Ctx, Input) -> Result<Prepared, Error> + Send + Sync>;

/// A decoded operation: what it touches and the work itself.
pub(crate) struct Prepared {
    pub(crate) resources: Vec<Arn>,
    pub(crate) run: BoxFuture<'static, Result<Reply, Error>>,
}

/// The generic shim around a typed operation; all behind it is `dyn`.
pub(crate) fn typed<I, F>(
    names: &'static wire::Names,
    resources: fn(&Ctx, &I) -> Vec<Arn>,
    handler: F,
) -> Prepare
where
    I: DeserializeOwned + Send + 'static,
    F: for<'a> Handler<'a, I> + Copy,
{
    Box::new(move |ctx, input| {
        let decoded: I = input.decode(names)?;
        let resources = resources(&ctx, &decoded);
        let run = Box::pin(async move {
            let output = handler.call(&ctx, decoded).await.map_err(Into::into)?;
            Ok(wire::encode(ctx.protocol, names, ctx.operation, &ctx.request_id, &output)?)
        });
        Ok(Prepared { resources, run })
    })
}

pub(crate) fn raw<F>(resources: fn(&Ctx, &Input) -> Vec<Arn>, handler: F) -> Prepare
where
    F: for<'a> RawHandler<'a> + Copy,
{
    Box::new(move |ctx, input| {
        let resources = resources(&ctx, &input);
        let run = Box::pin(async move { handler.call(&ctx, input).await.map_err(Into::into) });
        Ok(Prepared { resources, run })
    })
}
