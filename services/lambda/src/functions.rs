//! The functions of this machine, ready to run: loaded from the store once per revision, unpacked,
//! and handed to whoever runs them. Aliases are read once, too.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::{AccountId, Arn, BoxFuture};
use bytes::Bytes;
use delivery::Line;
use host::{FunctionSpec, HostError, Invocation};
use kit::functions::{Functions, Invoke, Invoked, Streamed, Url};
use kit::{Ctx, Kit};
use store::Tx;

use crate::code::{Sha, Trees};
use crate::data::{
    self, Alias, Code, Config, EventConfig, Function, LayerUse, LayerVersion, Place, Qualifier,
    Recursion, Target, Version,
};
use crate::downloads::Downloads;
use crate::error::Error;
use crate::ops::layer::check_size;
use crate::rules::{layer, lineage, trace};
use crate::run::{self, Runner};
use crate::stream;
use crate::usage::{Concurrency, Running, Usage};
use crate::work::mappings::Pollers;

/// What all operations and workers share.
pub(crate) struct Lambda {
    pub(crate) kit: Kit,
    /// Asynchronous invocations.
    pub(crate) line: Line,
    pub(crate) trees: Trees,
    pub(crate) runner: Arc<dyn Runner>,
    pub(crate) pollers: Pollers,
    pub(crate) concurrency: Concurrency,
    pub(crate) downloads: Downloads,
    loaded: Mutex<Cache>,
}

/// A function of one revision, ready to run.
pub(crate) struct Loaded {
    pub(crate) spec: Arc<FunctionSpec>,
    usage: Arc<Usage>,
    /// Where its asynchronous events end that failed.
    pub(crate) dead_letter: Option<Arn>,
    /// Whether it may call itself again and again.
    pub(crate) loops: bool,
}

/// What a function runs from.
pub(crate) struct Unpacked {
    pub(crate) code: PathBuf,
    /// In the order they are laid over one another.
    pub(crate) layers: Vec<PathBuf>,
}

#[derive(Default)]
struct Cache {
    /// Grows with every change, so that what was read before a change is not kept after it.
    changes: u64,
    entries: HashMap<Place, Entry>,
}

/// What is known of a function.
#[derive(Default)]
struct Entry {
    versions: HashMap<Version, Arc<Loaded>>,
    aliases: HashMap<String, Arc<Alias>>,
    /// Also that there is none.
    event_configs: HashMap<String, Option<Arc<EventConfig>>>,
}

impl Lambda {
    pub(crate) fn new(kit: &Kit, line: Line, runner: Arc<dyn Runner>) -> Lambda {
        Lambda {
            kit: kit.clone(),
            line,
            trees: Trees::open(&kit.cache, &*kit.random),
            runner,
            pollers: Pollers::default(),
            concurrency: Concurrency::default(),
            downloads: Downloads::default(),
            loaded: Mutex::default(),
        }
    }

    /// The state of the service a context belongs to.
    pub(crate) fn of(ctx: &Ctx) -> &Arc<Lambda> {
        ctx.state()
    }

    /// What is meant of the function as it is now, ready to run. Of an alias, the version whose
    /// turn it is.
    pub(crate) async fn load(&self, target: &Target) -> Result<Arc<Loaded>, Error> {
        let version = match &target.qualifier {
            None => Version::Latest,
            Some(Qualifier::Version(version)) => *version,
            Some(Qualifier::Alias(name)) => {
                let alias = self.alias(&target.place, name).await?;
                alias.ok_or_else(|| target.missing())?.choose(&*self.kit.random)
            }
        };
        self.version(&target.place, version).await?.ok_or_else(|| target.missing())
    }

    pub(crate) async fn alias(
        &self,
        place: &Place,
        name: &str,
    ) -> Result<Option<Arc<Alias>>, Error> {
        let changes = {
            let cache = self.cache();
            let known = cache.entries.get(place).and_then(|entry| entry.aliases.get(name));
            if let Some(found) = known {
                return Ok(Some(Arc::clone(found)));
            }
            cache.changes
        };
        let found: Option<Alias> =
            self.kit.store.get_record(&place.aliases_key().str(name)).await?;
        let Some(alias) = found.map(Arc::new) else { return Ok(None) };
        let mut cache = self.cache();
        if cache.changes == changes {
            let entry = cache.entries.entry(place.clone()).or_default();
            entry.aliases.insert(name.to_owned(), Arc::clone(&alias));
        }
        Ok(Some(alias))
    }

    /// What becomes of asynchronous events of a target.
    pub(crate) async fn event_config(
        &self,
        target: &Target,
    ) -> Result<Option<Arc<EventConfig>>, Error> {
        let (place, qualifier) = (&target.place, target.qualifier_text());
        let changes = {
            let cache = self.cache();
            let entry = cache.entries.get(place);
            if let Some(known) = entry.and_then(|entry| entry.event_configs.get(&qualifier)) {
                return Ok(known.clone());
            }
            cache.changes
        };
        let found = self.kit.store.get_record(&place.event_configs_key().str(&qualifier)).await?;
        let config: Option<Arc<EventConfig>> = found.map(Arc::new);
        let mut cache = self.cache();
        if cache.changes == changes {
            let entry = cache.entries.entry(place.clone()).or_default();
            entry.event_configs.insert(qualifier, config.clone());
        }
        Ok(config)
    }

    async fn version(&self, place: &Place, version: Version) -> Result<Option<Arc<Loaded>>, Error> {
        let changes = {
            let cache = self.cache();
            let known = cache.entries.get(place).and_then(|entry| entry.versions.get(&version));
            if let Some(found) = known {
                return Ok(Some(Arc::clone(found)));
            }
            cache.changes
        };
        let found = self.kit.store.get_record(&place.version_key(version)).await?;
        let Some(function): Option<Function> = found else { return Ok(None) };
        let unpacked = self.unpacked(&place.account, &function).await?;
        let dead_letter = function.config.dead_letter.clone();
        let spec = Arc::new(self.spec(place, function, unpacked));
        let usage = self.concurrency.of(&self.kit, place).await?;
        let recursion: Option<Recursion> =
            self.kit.store.get_record(&place.recursion_key()).await?;
        let loops = recursion.is_some_and(|recursion| recursion.allowed);
        let loaded = Arc::new(Loaded { spec, usage, dead_letter, loops });
        let mut cache = self.cache();
        if cache.changes == changes {
            let entry = cache.entries.entry(place.clone()).or_default();
            entry.versions.insert(version, Arc::clone(&loaded));
        }
        Ok(Some(loaded))
    }

    /// The trees a function runs from.
    async fn unpacked(&self, account: &AccountId, function: &Function) -> Result<Unpacked, Error> {
        let code = self.tree(&function.code).await?;
        let layers = self.layers(account, &function.config).await?;
        Ok(Unpacked { code, layers })
    }

    /// The trees of a function's layers, also of those that were deleted since.
    pub(crate) async fn layers(
        &self,
        account: &AccountId,
        config: &Config,
    ) -> Result<Vec<PathBuf>, Error> {
        let mut trees = Vec::new();
        for LayerUse { arn, .. } in &config.layers {
            let missing = || kit::Error::internal(format_args!("{arn} is used but not there"));
            let region = arn.region.parse().map_err(kit::Error::internal)?;
            let (name, number) = layer::version(arn).ok_or_else(missing)?;
            let key = data::layer_versions_key(account, &region).str(name).u64(number);
            let found: Option<LayerVersion> = self.kit.store.get_record(&key).await?;
            trees.push(self.tree(&found.ok_or_else(missing)?.code).await?);
        }
        Ok(trees)
    }

    async fn tree(&self, code: &Code) -> Result<PathBuf, Error> {
        if let Some(found) = self.trees.find(&code.sha256, self.kit.now()) {
            return Ok(found);
        }
        let zip = code.zip.load(&self.kit.store).await?;
        self.unpack(code.sha256, zip).await
    }

    /// A function as the host wants it.
    fn spec(&self, place: &Place, function: Function, unpacked: Unpacked) -> FunctionSpec {
        let Function { name, config, credentials, revision, version, .. } = function;
        FunctionSpec {
            // Versions are separate functions to the host: none ends with another.
            arn: place.arn_of(version),
            version: version.to_string(),
            revision,
            log_group: config.log_group(&name),
            name,
            runtime: config.runtime,
            handler: config.handler,
            code: unpacked.code,
            layers: unpacked.layers,
            env: config.environment,
            memory_mb: config.memory_mb,
            ephemeral_mb: config.ephemeral_mb,
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

    /// Forgets a function with the commit that changes or deletes it, its versions or its aliases,
    /// so that whatever is asked for after the reply runs what was made of it.
    pub(crate) fn forget_on_commit(self: &Arc<Lambda>, tx: &Tx, place: &Place) {
        let (lambda, place) = (Arc::clone(self), place.clone());
        tx.on_commit(move || {
            let mut cache = lambda.cache();
            cache.changes += 1;
            cache.entries.remove(&place);
        });
    }

    /// Notes with the commit what a function has reserved.
    pub(crate) fn reserve_on_commit(
        self: &Arc<Lambda>,
        tx: &Tx,
        place: &Place,
        count: Option<u32>,
    ) {
        let (lambda, place) = (Arc::clone(self), place.clone());
        tx.on_commit(move || lambda.concurrency.set(&place, count));
    }

    /// Ends what runs of the function or version of this ARN, but for one revision.
    pub(crate) fn retire_on_commit(self: &Arc<Lambda>, tx: &Tx, arn: Arn, keep: Option<String>) {
        let lambda = Arc::clone(self);
        tx.on_commit(move || lambda.runner.retire(&arn, keep.as_deref()));
    }

    /// Makes ready for the first event of a function about to be deployed. A runtime that cannot
    /// be used here is refused now rather than at that event, and so is more than it may have.
    pub(crate) async fn try_out(&self, place: &Place, function: Function) -> Result<(), Error> {
        let unpacked = self.unpacked(&place.account, &function).await?;
        check_size(&unpacked).await?;
        let spec = Arc::new(self.spec(place, function, unpacked));
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
    pub(crate) async fn invoke(&self, target: &Target, call: Invoke) -> Result<Invoked, Error> {
        let loaded = self.load(target).await?;
        self.run(&loaded, call).await
    }

    /// The same with a function that is loaded.
    pub(crate) async fn run(&self, loaded: &Loaded, call: Invoke) -> Result<Invoked, Error> {
        let invocation = self.invocation(loaded, call)?;
        let request_id = invocation.request_id.clone();
        let _place = self.enter(loaded)?;
        let invoked = self.runner.invoke(&loaded.spec, invocation).await.map_err(run::refusal)?;
        Ok(loaded.invoked(request_id, invoked))
    }

    /// A call as the host takes it, unless its event has come by too often.
    pub(crate) fn invocation(&self, loaded: &Loaded, call: Invoke) -> Result<Invocation, Error> {
        let passes = lineage::passes(call.trace.as_deref(), &loaded.spec.arn);
        if !loaded.loops && passes >= lineage::PASSES_MAX {
            self.runner.dropped(&loaded.spec);
            return Err(Error::Recursive);
        }
        Ok(Invocation {
            request_id: call.request_id.unwrap_or_else(|| self.kit.uuid()),
            payload: call.payload,
            client_context: call.client_context,
            trace_header: Some(self.pass(loaded, call.trace)),
            function_arn: (call.function != loaded.spec.arn).then(|| call.function.to_string()),
            tail: call.tail,
            response: None,
        })
    }

    /// Takes a place for an invocation of a function.
    pub(crate) fn enter(&self, loaded: &Loaded) -> Result<Running, Error> {
        loaded.usage.enter().inspect_err(|_throttled| self.runner.throttled(&loaded.spec))
    }

    /// The trace of an event that passes a function, with which it and all it causes go on.
    pub(crate) fn pass(&self, loaded: &Loaded, given: Option<String>) -> String {
        let whole = trace::header(given, self.kit.now(), &*self.kit.random);
        lineage::pass(&whole, &loaded.spec.arn)
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Loaded {
    /// What came of an invocation, for those who asked for it.
    pub(crate) fn invoked(&self, request_id: String, invoked: host::Invoked) -> Invoked {
        Invoked {
            payload: invoked.payload,
            error: invoked.error,
            version: self.spec.version.clone(),
            log_tail: invoked.log_tail,
            request_id,
        }
    }
}

impl Functions for Lambda {
    fn invoke<'a>(&'a self, call: Invoke) -> BoxFuture<'a, Result<Invoked, kit::Error>> {
        Box::pin(async move {
            let target = Target::of(&call.function)?;
            Ok(Lambda::invoke(self, &target, call).await?)
        })
    }

    fn stream<'a>(&'a self, call: Invoke) -> BoxFuture<'a, Result<Streamed, kit::Error>> {
        Box::pin(async move {
            let target = Target::of(&call.function)?;
            Ok(stream::start(self, &target, call).await?)
        })
    }

    fn prepare<'a>(&'a self, function: &'a Arn) -> BoxFuture<'a, Result<(), kit::Error>> {
        Box::pin(async move {
            let loaded = self.load(&Target::of(function)?).await?;
            self.runner.warm(&loaded.spec).await.map_err(run::refusal)
        })
    }

    fn url<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Url>, kit::Error>> {
        Box::pin(async move { Ok(crate::ops::url::find(&self.kit, id).await?) })
    }

    fn download<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, kit::Error>> {
        Box::pin(async move { Ok(self.downloads.take(&self.kit, token).await?) })
    }

    fn package<'a>(&'a self, function: &'a Arn) -> BoxFuture<'a, Result<Bytes, kit::Error>> {
        Box::pin(async move {
            let target = Target::of(function)?;
            let found: Option<Function> = self.kit.store.get_record(&target.place.key()).await?;
            let function = found.ok_or_else(|| target.missing())?;
            Ok(function.code.zip.load(&self.kit.store).await?)
        })
    }
}

impl Target {
    /// What of which function an ARN names.
    pub(crate) fn of(arn: &Arn) -> Result<Target, Error> {
        let none = || Error::NoFunction(Box::new(arn.clone()));
        let account = arn.account_id().map_err(|_| none())?;
        let region = arn.region.parse().map_err(|_| none())?;
        let name = arn.resource_after("function:").filter(|_| arn.service == "lambda");
        crate::rules::name::target(&account, &region, name.ok_or_else(none)?, None)
    }
}
