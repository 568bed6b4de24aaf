use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use base::Arn;
use bytes::Bytes;
use http::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use wire::{Input, Names, Protocol};

use crate::members::{self, Fate, Shape, Step};
use crate::operation::{self, Handler, Prepare, RawHandler};
use crate::{Call, Ctx, Error, Every, Kit, Worker};

/// How a service is spoken to.
pub struct Api {
    /// The SDK's service id and our folder: `sqs`.
    pub id: &'static str,
    /// The protocols it answers, the first being the one used inside the process.
    pub protocols: &'static [Protocol],
    /// What stands before the operation in `X-Amz-Target`; empty where there is none.
    pub target_prefix: &'static str,
    /// `Version` of Query requests; empty where there is none.
    pub version: &'static str,
    /// Names in the service's Query and XML forms.
    pub names: &'static Names,
}

/// A service: an explicit list of operations and workers around one state.
pub struct Service {
    api: Api,
    state: Arc<dyn Any + Send + Sync>,
    operations: BTreeMap<&'static str, Operation>,
    routes: Vec<Route>,
    /// Of operations that are not served.
    unserved: Vec<Route>,
    workers: Vec<Worker>,
}

/// One operation of a service.
pub struct Operation {
    name: &'static str,
    action: Arc<str>,
    status: StatusCode,
    prepare: Prepare,
    /// The input's type; `None` where it is opaque bytes.
    shape: Option<Shape>,
}

struct Route {
    method: Method,
    /// `/2015-03-31/functions/{FunctionName}/code`, split at the slashes.
    path: Vec<&'static str>,
    /// What must stand in the query string, `List=ALL`; empty where nothing must.
    query: &'static str,
    operation: &'static str,
}

impl Service {
    /// A service without operations yet.
    pub fn new<S: Any + Send + Sync>(api: Api, state: S) -> Service {
        Service {
            api,
            state: Arc::new(state),
            operations: BTreeMap::new(),
            routes: Vec::new(),
            unserved: Vec::new(),
            workers: Vec::new(),
        }
    }

    /// Adds an operation. `resources` says what it touches: without it there is no operation,
    /// so none can be reached that `authorize` knows nothing about.
    #[must_use]
    pub fn op<I, F>(
        self,
        name: &'static str,
        handler: F,
        resources: fn(&Ctx, &I) -> Vec<Arn>,
    ) -> Service
    where
        I: DeserializeOwned + Send + 'static,
        F: for<'a> Handler<'a, I> + Copy,
    {
        let prepare = operation::typed(self.api.names, resources, handler);
        self.add(name, prepare, Some(members::shape::<I>))
    }

    /// Adds an operation that reads and writes opaque bytes.
    #[must_use]
    pub fn raw_op<F>(
        self,
        name: &'static str,
        handler: F,
        resources: fn(&Ctx, &Input) -> Vec<Arn>,
    ) -> Service
    where
        F: for<'a> RawHandler<'a> + Copy,
    {
        self.add(name, operation::raw(resources, handler), None)
    }

    fn add(mut self, name: &'static str, prepare: Prepare, shape: Option<Shape>) -> Service {
        let action = format!("{}:{name}", self.api.id).into();
        let added = Operation { name, action, status: StatusCode::OK, prepare, shape };
        let before = self.operations.insert(name, added);
        assert!(before.is_none(), "{}.{name} is registered twice", self.api.id);
        self
    }

    /// The IAM action of an operation where it is not `id:Name`: `lambda:InvokeFunction`.
    #[must_use]
    pub fn action(mut self, operation: &'static str, action: &str) -> Service {
        self.operation_mut(operation).action = action.into();
        self
    }

    /// Where a REST operation is found and the status of its success. A path with a constant query,
    /// `/layers?find=LayerVersion`, is stronger than the same path without.
    #[must_use]
    pub fn rest(
        mut self,
        operation: &'static str,
        method: Method,
        path: &'static str,
        status: u16,
    ) -> Service {
        self.operation_mut(operation).status =
            StatusCode::from_u16(status).expect("statuses are written in the source");
        self.routes.push(Route::new(method, path, operation));
        self
    }

    /// Where AWS has the REST operations that are not served, so that they are refused by name:
    /// lines of a method, a path and the name, as `cargo xtask coverage` writes them.
    #[must_use]
    pub fn unserved(mut self, lines: &'static str) -> Service {
        self.unserved = lines.lines().filter_map(Route::read).collect();
        self
    }

    fn operation_mut(&mut self, name: &str) -> &mut Operation {
        self.operations.get_mut(name).expect("the operation is registered before its details")
    }

    /// Adds background work: `tick` does one bounded step and returns.
    #[must_use]
    pub fn worker<F>(mut self, name: &'static str, every: Every, tick: F) -> Service
    where
        F: for<'a> crate::worker::Tick<'a> + Copy,
    {
        self.workers.push(Worker::new(self.api.id, name, every, Arc::clone(&self.state), tick));
        self
    }

    /// How the service is spoken to.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// Whether there is an operation of this name.
    pub fn serves(&self, operation: &str) -> bool {
        self.operations.contains_key(operation)
    }

    /// The names of its operations, in order.
    pub fn operations(&self) -> impl Iterator<Item = &'static str> {
        self.operations.keys().copied()
    }

    /// The IAM action of an operation.
    pub fn action_of(&self, operation: &str) -> Option<&str> {
        self.operations.get(operation).map(|op| &*op.action)
    }

    /// Whether an operation takes its input as opaque bytes, of whose members nothing is known.
    pub fn is_raw(&self, operation: &str) -> bool {
        self.operations.get(operation).is_some_and(|op| op.shape.is_none())
    }

    /// What becomes of a member of an operation's input; `None` if the operation takes it as
    /// opaque bytes, or demands what cannot be made up.
    pub fn fate_of(&self, operation: &str, member: &[Step]) -> Option<Fate> {
        members::fate(self.operations.get(operation)?.shape?, member)
    }

    /// The method, the path and the status of its success by which a REST operation is found.
    pub fn rest_of(&self, operation: &str) -> Option<(&Method, String, StatusCode)> {
        let route = self.routes.iter().find(|route| route.operation == operation)?;
        let status = self.operations.get(operation)?.status;
        Some((&route.method, format!("/{}", route.path.join("/")), status))
    }

    /// Its background work.
    pub fn workers(&self) -> &[Worker] {
        &self.workers
    }

    /// The REST operation at a method, a path and a query string, with the labels found in the
    /// path. It may be one that is not served, which [`Service::prepare`] refuses.
    pub fn route(
        &self,
        method: &Method,
        path: &str,
        query: &str,
    ) -> Option<(&'static str, Vec<(String, String)>)> {
        let all = self.routes.iter().chain(&self.unserved);
        let by_method = all.filter(|route| route.method == *method);
        let mut weaker = None;
        for route in by_method {
            let Some(found) = labels(&route.path, path) else { continue };
            if !route.query.is_empty() {
                if query.split('&').any(|pair| pair == route.query) {
                    return Some((route.operation, found));
                }
            } else if query.is_empty() {
                // Nothing can be stronger: this is on the path of every event.
                return Some((route.operation, found));
            } else {
                weaker.get_or_insert((route.operation, found));
            }
        }
        weaker
    }

    /// Decodes a request into a call, ready to be authorized and run.
    pub fn prepare(&self, mut ctx: Ctx, operation: &str, input: Input) -> Result<Call, Error> {
        let found = self.operations.get(operation).ok_or_else(|| {
            // What AWS answers where there is no such operation.
            let code = match ctx.protocol {
                Protocol::Query => "InvalidAction",
                _ => "UnknownOperationException",
            };
            Error::sender(code, format!("{}.{operation} is not served", self.api.id))
        })?;
        ctx.service = self.api.id;
        ctx.operation = found.name;
        ctx.state = Arc::clone(&self.state);
        let status = found.status;
        let prepared = (found.prepare)(ctx, input)?;
        let run = Box::pin(async move {
            let mut reply = prepared.run.await?;
            if reply.status == StatusCode::OK {
                reply.status = status;
            }
            Ok(reply)
        });
        Ok(Call { action: Arc::clone(&found.action), resources: prepared.resources, run })
    }

    /// Runs an operation inside the process; see [`Kit::call`].
    pub(crate) async fn call(
        &self,
        kit: &Kit,
        operation: &str,
        input: &Value,
    ) -> Result<Value, Error> {
        let mut ctx = Ctx::internal(kit, self.api.id, "", Arc::clone(&self.state));
        // JSON is the one form every service decodes without a table of names.
        ctx.protocol = Protocol::Json10;
        let body = Bytes::from(serde_json::to_vec(input).map_err(Error::internal)?);
        let reply = self.prepare(ctx, operation, Input::json10(body))?.run.await?;
        if reply.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&reply.body).map_err(Error::internal)
    }
}

impl Route {
    fn new(method: Method, path: &'static str, operation: &'static str) -> Route {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        Route { method, path: segments(path).collect(), query, operation }
    }

    fn read(line: &'static str) -> Option<Route> {
        let mut words = line.split_whitespace();
        let (method, path, operation) = (words.next()?, words.next()?, words.next()?);
        Some(Route::new(method.parse().ok()?, path, operation))
    }
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.trim_matches('/').split('/')
}

/// Matches a path against a pattern; `{Name}` takes one segment, `{Name+}` the rest.
fn labels(pattern: &[&str], path: &str) -> Option<Vec<(String, String)>> {
    let mut found = Vec::new();
    let mut given = segments(path);
    for part in pattern {
        match part.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name) => match name.strip_suffix('+') {
                Some(name) => {
                    let rest: Vec<&str> = given.by_ref().collect();
                    found.push((name.to_owned(), rest.join("/")));
                }
                None => found.push((name.to_owned(), given.next()?.to_owned())),
            },
            None if given.next()? == *part => {}
            None => return None,
        }
    }
    given.next().is_none().then_some(found)
}

/// All services of a machine, by id.
#[derive(Default)]
pub struct Services(BTreeMap<&'static str, Service>);

impl Services {
    /// The services given.
    ///
    /// # Panics
    /// If two have the same id: a mistake in the list of the composition root.
    pub fn new(services: Vec<Service>) -> Services {
        let mut all = BTreeMap::new();
        for service in services {
            let id = service.api.id;
            assert!(all.insert(id, service).is_none(), "service {id} is registered twice");
        }
        Services(all)
    }

    /// The service with this id.
    pub fn get(&self, id: &str) -> Option<&Service> {
        self.0.get(id)
    }

    /// All of them, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Service> {
        self.0.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_gives_its_labels_or_nothing() {
        let pattern: Vec<&str> = segments("/2015-03-31/functions/{FunctionName}/code").collect();
        let found = labels(&pattern, "/2015-03-31/functions/pay/code").unwrap();
        assert_eq!(found, [("FunctionName".to_owned(), "pay".to_owned())]);
        assert_eq!(labels(&pattern, "/2015-03-31/functions/pay"), None);
        assert_eq!(labels(&pattern, "/2015-03-31/functions/pay/code/x"), None);
        let rest: Vec<&str> = segments("/tags/{Arn+}").collect();
        assert_eq!(labels(&rest, "/tags/a/b").unwrap()[0].1, "a/b");
    }
}
