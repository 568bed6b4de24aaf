//! The functions of this machine, ready to run: loaded from the store once per revision, unpacked,
//! and handed to whoever runs them.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::{Arn, BoxFuture};
use bytes::Bytes;
use delivery::Line;
use host::{FunctionSpec, HostError, Invocation};
use kit::functions::{Functions, Invoke, Invoked};
use kit::{Ctx, Kit};
use store::{Dir, Tx};

use crate::code::{Sha, Trees};
use crate::data::{self, Function, Place};
use crate::error::Error;
use crate::rules::LATEST;
use crate::run::{self, Runner};
use crate::work::poll::Pollers;

/// What all operations and workers share.
pub(crate) struct Lambda {
    pub(crate) kit: Kit,
    /// Asynchronous invocations.
    pub(crate) line: Line,
    pub(crate) trees: Trees,
    pub(crate) runner: Arc<dyn Runner>,
    pub(crate) pollers: Pollers,
    loaded: Mutex<Cache>,
}

/// A function of one revision, ready to run.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) spec: Arc<FunctionSpec>,
    /// Where its asynchronous events end that failed.
    pub(crate) dead_letter: Option<Arn>,
}

#[derive(Default)]
struct Cache {
    /// Grows with every change, so that what was read before a change is not kept after it.
    changes: u64,
    entries: HashMap<Place, Arc<Loaded>>,
}

impl Lambda {
    pub(crate) fn new(kit: &Kit, line: Line, runner: Arc<dyn Runner>) -> Lambda {
        Lambda {
            kit: kit.clone(),
            line,
            trees: Trees::open(&kit.cache, &*kit.random),
            runner,
            pollers: Pollers::default(),
            loaded: Mutex::default(),
        }
    }

    /// The state of the service a context belongs to.
    pub(crate) fn of(ctx: &Ctx) -> &Arc<Lambda> {
        ctx.state()
    }

    /// The function as it is now, ready to run.
    pub(crate) async fn load(&self, place: &Place) -> Result<Arc<Loaded>, Error> {
        let changes = {
            let cache = self.cache();
            if let Some(found) = cache.entries.get(place) {
                return Ok(Arc::clone(found));
            }
            cache.changes
        };
        let function: Option<Function> = self.kit.store.get_record(&place.key()).await?;
        let function = function.ok_or_else(|| place.missing())?;
        let code = self.tree(&function).await?;
        let dead_letter = function.config.dead_letter.clone();
        let spec = Arc::new(self.spec(place, function, code));
        let loaded = Arc::new(Loaded { spec, dead_letter });
        let mut cache = self.cache();
        if cache.changes == changes {
            cache.entries.insert(place.clone(), Arc::clone(&loaded));
        }
        Ok(loaded)
    }

    /// The unpacked code of a function.
    pub(crate) async fn tree(&self, function: &Function) -> Result<PathBuf, Error> {
        if let Some(found) = self.trees.find(&function.code.sha256, self.kit.now()) {
            return Ok(found);
        }
        let zip = function.code.zip.load(&self.kit.store).await?;
        self.unpack(function.code.sha256, zip).await
    }

    /// A function as the host wants it.
    pub(crate) fn spec(&self, place: &Place, function: Function, code: PathBuf) -> FunctionSpec {
        let Function { name, config, credentials, revision, .. } = function;
        FunctionSpec {
            arn: place.arn(),
            version: LATEST.to_owned(),
            revision,
            log_group: config.log_group(&name),
            name,
            runtime: config.runtime,
            handler: config.handler,
            code,
            env: config.environment,
            memory_mb: config.memory_mb,
            timeout: Duration::from_secs(config.timeout_secs.into()),
            region: place.region.clone(),
            account: place.account.clone(),
            credentials: host::Credentials {
                access_key: credentials.access_key,
                secret: credentials.secret_key,
                token: credentials.session_token,
            },
            endpoint_url: self.kit.base_url().to_owned(),
        }
    }

    /// The tree of a package, unpacked if it is not yet.
    pub(crate) async fn unpack(&self, sha: Sha, zip: Bytes) -> Result<PathBuf, Error> {
        if let Some(found) = self.trees.find(&sha, self.kit.now()) {
            return Ok(found);
        }
        self.trees.unpack(sha, zip, self.kit.now(), self.kit.uuid()).await
    }

    /// Forgets a function with the commit that changes or deletes it, so that whatever is asked
    /// for after the reply runs the new revision.
    pub(crate) fn forget_on_commit(
        self: &Arc<Lambda>,
        tx: &Tx,
        place: &Place,
        keep_revision: Option<&str>,
    ) {
        let (lambda, place) = (Arc::clone(self), place.clone());
        let keep_revision = keep_revision.map(str::to_owned);
        tx.on_commit(move || {
            let mut cache = lambda.cache();
            cache.changes += 1;
            cache.entries.remove(&place);
            drop(cache);
            lambda.runner.retire(&place.arn(), keep_revision.as_deref());
        });
    }

    /// Makes ready for the first event of a function about to be deployed. A runtime that cannot
    /// be used here is refused now rather than at that event.
    pub(crate) async fn warm(
        &self,
        place: &Place,
        function: Function,
        code: PathBuf,
    ) -> Result<(), Error> {
        let spec = Arc::new(self.spec(place, function, code));
        match self.runner.warm(&spec).await {
            Err(error @ HostError::RuntimeUnavailable { .. }) => {
                Err(Error::parameter(error.to_string()))
            }
            Err(error) => {
                tracing::debug!(function = place.name, %error, "not warmed");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Runs a function and waits for its answer.
    pub(crate) async fn invoke(&self, place: &Place, call: Invoke) -> Result<Invoked, Error> {
        let loaded = self.load(place).await?;
        self.run(&loaded, call).await
    }

    /// The same with a function that is loaded.
    pub(crate) async fn run(&self, loaded: &Loaded, call: Invoke) -> Result<Invoked, Error> {
        let request_id = call.request_id.unwrap_or_else(|| self.kit.uuid());
        let invocation = Invocation {
            request_id: request_id.clone(),
            payload: call.payload,
            client_context: call.client_context,
            trace_header: call.trace,
            tail: call.tail,
        };
        let invoked = self.runner.invoke(&loaded.spec, invocation).await.map_err(run::refusal)?;
        Ok(Invoked {
            payload: invoked.payload,
            error: invoked.error,
            version: loaded.spec.version.clone(),
            log_tail: invoked.log_tail,
            request_id,
        })
    }

    /// Deletes trees of code that no function has any more.
    pub(crate) async fn sweep(&self) -> Result<(), Error> {
        let all = data::all_functions_key(&self.kit.account).prefix();
        let mut current = HashSet::new();
        for (key, value) in self.kit.store.scan(all, Dir::Forward, usize::MAX).await? {
            current.insert(store::decode::<Function>(&key, &value)?.code.sha256);
        }
        let swept = self.trees.sweep(&current, self.kit.now()).await;
        Ok(swept.map_err(kit::Error::internal)?)
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Functions for Lambda {
    fn invoke<'a>(&'a self, call: Invoke) -> BoxFuture<'a, Result<Invoked, kit::Error>> {
        Box::pin(async move {
            let place = Place::of(&call.function)?;
            Ok(Lambda::invoke(self, &place, call).await?)
        })
    }

    fn package<'a>(&'a self, function: &'a Arn) -> BoxFuture<'a, Result<Bytes, kit::Error>> {
        Box::pin(async move {
            let place = Place::of(function)?;
            let found: Option<Function> = self.kit.store.get_record(&place.key()).await?;
            let function = found.ok_or_else(|| place.missing())?;
            Ok(function.code.zip.load(&self.kit.store).await?)
        })
    }
}

impl Place {
    /// The place a function's ARN names. Only `$LATEST` is one.
    pub(crate) fn of(arn: &Arn) -> Result<Place, Error> {
        let none = || Error::NoFunction(Box::new(arn.clone()));
        let account = arn.account_id().map_err(|_| none())?;
        let region = arn.region.parse().map_err(|_| none())?;
        let name = arn.resource_after("function:").filter(|_| arn.service == "lambda");
        crate::rules::place(&account, &region, name.ok_or_else(none)?, None)
    }
}
