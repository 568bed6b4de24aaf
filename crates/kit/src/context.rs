use std::any::Any;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use base::{AccountId, Arn, BoxFuture, Clock, Random, Region, Time};
use serde_json::Value;
use store::Store;
use tokio::sync::watch;
use wire::Protocol;

use crate::functions::Functions;
use crate::sources::Sources;
use crate::streams::Streams;
use crate::targets::Targets;
use crate::{Error, Services};

/// The header by which SDKs carry a trace on.
const TRACE_HEADER: &str = "x-amzn-trace-id";
/// A longer trace is not kept: it goes along with every message.
const TRACE_BYTES_MAX: usize = 1024;

/// What the whole machine shares: the store, time, chance, and the faces between services.
#[derive(Clone)]
pub struct Kit(Arc<Shared>);

/// What a [`Kit`] is made of.
pub struct Parts {
    pub store: Store,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    /// The account of requests whose credentials name none.
    pub account: AccountId,
    /// The region of work that no request caused.
    pub region: Region,
    /// Where services may keep files that can be made again, such as unpacked code.
    pub cache: PathBuf,
}

pub struct Shared {
    pub store: Store,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub account: AccountId,
    pub region: Region,
    pub cache: PathBuf,
    pub targets: Targets,
    pub sources: Sources,
    pub streams: Streams,
    functions: OnceLock<Arc<dyn Functions>>,
    services: OnceLock<Arc<Services>>,
    base_url: OnceLock<String>,
    closing: watch::Sender<bool>,
}

impl Deref for Kit {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Kit {
    /// A kit around its parts. Services, functions and the address are set once they exist.
    pub fn new(parts: Parts) -> Kit {
        let Parts { store, clock, random, account, region, cache } = parts;
        Kit(Arc::new(Shared {
            store,
            clock,
            random,
            account,
            region,
            cache,
            targets: Targets::default(),
            sources: Sources::default(),
            streams: Streams::default(),
            functions: OnceLock::new(),
            services: OnceLock::new(),
            base_url: OnceLock::new(),
            closing: watch::Sender::new(false),
        }))
    }

    /// The present.
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// A fresh random UUID.
    pub fn uuid(&self) -> String {
        base::uuid(&*self.random)
    }

    /// The next time-ordered number; none is given twice, over restarts too.
    pub fn next_number(&self) -> u64 {
        self.store.next_number(self.now())
    }

    /// Names who runs functions. Called once, by the composition root.
    pub fn set_functions(&self, functions: Arc<dyn Functions>) {
        let _first_wins = self.functions.set(functions);
    }

    /// Who runs functions, or an error where nobody does (a test of a single service).
    pub fn functions(&self) -> Result<&Arc<dyn Functions>, Error> {
        self.functions.get().ok_or_else(|| Error::internal("no function host is installed"))
    }

    /// Names the services. Called once, by the composition root.
    pub fn set_services(&self, services: Arc<Services>) {
        let _first_wins = self.services.set(services);
    }

    /// All services of this machine; empty before the composition root has set them.
    pub fn services(&self) -> &Services {
        static NONE: OnceLock<Services> = OnceLock::new();
        match self.services.get() {
            Some(all) => all,
            None => NONE.get_or_init(Services::default),
        }
    }

    /// Names the address we are reached at. Called once, after the port is bound.
    pub fn set_base_url(&self, url: String) {
        let _first_wins = self.base_url.set(url);
    }

    /// Where functions reach us, `http://127.0.0.1:4566`.
    pub fn base_url(&self) -> &str {
        self.base_url.get().map_or("http://localhost:4566", String::as_str)
    }

    /// Runs an operation by name with JSON input, as the root of the default account. This is how
    /// `deploy` makes resources: through the same operations as any client.
    pub fn call<'a>(
        &'a self,
        service: &'a str,
        operation: &'a str,
        input: Value,
    ) -> BoxFuture<'a, Result<Value, Error>> {
        Box::pin(async move {
            let found = self
                .services()
                .get(service)
                .ok_or_else(|| Error::not_served(format_args!("service {service}")))?;
            found.call(self, operation, &input).await
        })
    }

    /// Asks everything declared to end. Idempotent.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Resolves when the machine is asked to end.
    pub fn closing(&self) -> Closing {
        Closing(self.closing.subscribe())
    }
}

/// See [`Kit::closing`].
pub struct Closing(watch::Receiver<bool>);

impl Closing {
    /// Resolves once closing has begun.
    pub async fn wait(&mut self) {
        let _sender_gone = self.0.wait_for(|closing| *closing).await;
    }

    /// Whether closing has begun.
    pub fn begun(&self) -> bool {
        *self.0.borrow()
    }
}

/// Who makes a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// `arn:aws:iam::000000000000:root`, or the role session of a function.
    pub arn: Arn,
    /// `UserId` of GetCallerIdentity.
    pub user_id: String,
    /// The access key the request was signed with; empty for unsigned ones.
    pub access_key: String,
}

impl Caller {
    /// The root of an account.
    pub fn root(account: &AccountId) -> Caller {
        let arn = Arn {
            partition: "aws".into(),
            service: "iam".into(),
            region: String::new(),
            account: account.to_string(),
            resource: "root".into(),
        };
        Caller { arn, user_id: account.to_string(), access_key: String::new() }
    }
}

/// One request on its way through an operation. Time, chance and the outside come through it.
#[derive(Clone)]
pub struct Ctx {
    pub kit: Kit,
    pub account: AccountId,
    pub region: Region,
    pub caller: Caller,
    pub request_id: String,
    /// Scheme, host and port as the client wrote them: the base of URLs we hand out.
    pub base_url: String,
    /// `X-Amzn-Trace-Id`. What the request causes carries it on: by it a function that calls
    /// itself is found.
    pub trace: Option<String>,
    /// The id of the service that runs.
    pub service: &'static str,
    /// The operation or worker that runs.
    pub operation: &'static str,
    pub protocol: Protocol,
    pub(crate) state: Arc<dyn Any + Send + Sync>,
}

impl Ctx {
    /// A context for work that no request caused, as the root of the default account.
    pub fn internal(
        kit: &Kit,
        service: &'static str,
        operation: &'static str,
        state: Arc<dyn Any + Send + Sync>,
    ) -> Ctx {
        Ctx {
            kit: kit.clone(),
            account: kit.account.clone(),
            region: kit.region.clone(),
            caller: Caller::root(&kit.account),
            request_id: kit.uuid(),
            base_url: kit.base_url().to_owned(),
            trace: None,
            service,
            operation,
            protocol: Protocol::Json10,
            state,
        }
    }

    /// A context for a request; [`crate::Service::prepare`] fills in the service's side.
    pub fn for_request(kit: &Kit, request_id: &str, caller: Caller, protocol: Protocol) -> Ctx {
        Ctx {
            caller,
            request_id: request_id.to_owned(),
            protocol,
            ..Ctx::internal(kit, "", "", Arc::new(()))
        }
    }

    /// Takes over the trace of a request, if it has one.
    pub fn take_trace(&mut self, headers: &http::HeaderMap) {
        let given = headers.get(TRACE_HEADER).and_then(|trace| trace.to_str().ok());
        let kept = given.filter(|trace| trace.len() <= TRACE_BYTES_MAX && trace.contains("Root="));
        self.trace = kept.map(str::to_owned);
    }

    /// The present.
    pub fn now(&self) -> Time {
        self.kit.now()
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.kit.store
    }

    /// The state the service registered with [`crate::Service::new`].
    ///
    /// # Panics
    /// If the type is not the one registered: a mistake in the service, seen by its first test.
    pub fn state<T: Any + Send + Sync>(&self) -> &T {
        self.state.downcast_ref().expect("a service asks for the state type it registered")
    }

    /// An ARN in this request's account and region.
    pub fn arn(&self, service: &str, resource: impl Into<String>) -> Arn {
        Arn::new(service, &self.region, &self.account, resource)
    }
}
