//! What the control plane does: deploys, stacks, logs.

use std::sync::Arc;

use base::BoxFuture;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use gateway::control::{Control, Request, json};
use gateway::{Body, streamed};
use host::Host;
use http::{Method, Response, StatusCode};
use kit::Kit;
use serde::Serialize;
use serde_json::json;
use store::Dir;
use telemetry::{GroupName, LogLine, LogStore, Query, Streams};
use tokio::sync::broadcast;

use crate::functions;
use crate::stacks::{Package, Stacks};

/// How far back functions are looked at, if nothing else is said, and at most.
const MINUTES: u64 = 60;
const MINUTES_MAX: u64 = 14 * 24 * 60;
/// Stored lines given before the live ones.
const LINES_MAX: usize = 10_000;

pub(crate) struct Controls {
    pub(crate) kit: Kit,
    pub(crate) host: Host,
    pub(crate) logs: LogStore,
    pub(crate) stacks: Arc<Stacks>,
    /// In a line.
    pub(crate) confinement: String,
}

impl Control for Controls {
    fn serve<'a>(&'a self, request: Request<'a>) -> BoxFuture<'a, Option<Response<Body>>> {
        Box::pin(async move {
            let stack = request.path.strip_prefix("stacks/");
            let function = request.path.strip_prefix("functions/");
            Some(match (request.method, request.path, stack, function) {
                (&Method::POST, "deploy", ..) => self.deploy(&request.body).await,
                (&Method::GET, "stacks", ..) => answer(self.stacks.list().await),
                (&Method::DELETE, _, Some(stack), _) => answer(self.stacks.remove(stack).await),
                (&Method::GET, "logs", ..) => self.logs(&request.query).await,
                (&Method::GET, "functions", ..) => self.functions(&request.query, None).await,
                (&Method::GET, _, _, Some(name)) => {
                    self.functions(&request.query, Some(name)).await
                }
                _ => return None,
            })
        })
    }
}

fn answer<T: Serialize, E: std::fmt::Display>(outcome: Result<T, E>) -> Response<Body> {
    let body = outcome.map_err(|error| error.to_string());
    match body.and_then(|value| serde_json::to_value(value).map_err(|error| error.to_string())) {
        Ok(value) => json(StatusCode::OK, &value),
        Err(message) => json(StatusCode::BAD_REQUEST, &json!({ "message": message })),
    }
}

impl Controls {
    async fn deploy(&self, body: &Bytes) -> Response<Body> {
        match serde_json::from_slice::<Package>(body) {
            Ok(package) => answer(self.stacks.deploy(&package).await),
            Err(error) => {
                let message = format!("this is not a package of `cumulet deploy`: {error}");
                json(StatusCode::BAD_REQUEST, &json!({ "message": message }))
            }
        }
    }

    /// What functions do, and did within the last `minutes`; of one, in detail.
    async fn functions(&self, query: &[(String, String)], one: Option<&str>) -> Response<Body> {
        let given = query.iter().find(|(key, _)| key == "minutes").map(|(_, value)| value.parse());
        let minutes = match given {
            None => MINUTES,
            Some(Ok(minutes @ 1..=MINUTES_MAX)) => minutes,
            Some(_) => {
                let message = format!("minutes is a number from 1 to {MINUTES_MAX}");
                return json(StatusCode::BAD_REQUEST, &json!({ "message": message }));
            }
        };
        let now = self.kit.now();
        let list = functions::list(&self.host, &self.logs, now, minutes).await;
        let Some(name) = one else { return answer(list) };
        let describe = |list| functions::describe(&self.host, list, name, &self.confinement, now);
        answer(list.map(describe))
    }

    /// The lines of one function, a JSON text each: those stored, then those that come.
    async fn logs(&self, query: &[(String, String)]) -> Response<Body> {
        let field = |name| query.iter().find(|(key, _)| key == name).map(|(_, v)| v.as_str());
        let Some(function) = field("function") else {
            let message = "the query has no function";
            return json(StatusCode::BAD_REQUEST, &json!({ "message": message }));
        };
        let group = GroupName {
            account: self.kit.account.clone(),
            region: self.kit.region.clone(),
            name: format!("/aws/lambda/{function}"),
        };
        // Listening first: a line that comes between the two is seen twice, never missed.
        let live = self.logs.subscribe();
        let stored = match self.stored(&group).await {
            Ok(stored) => stored,
            Err(error) => return answer::<(), _>(Err(error)),
        };
        let stored: Vec<Bytes> = stored.iter().map(|line| one_line(&line.text)).collect();
        let follow = field("follow") == Some("true");
        let live = live_lines(live, group, self.kit.clone());
        let live = live.map(|line| one_line(&line.text)).take(if follow { usize::MAX } else { 0 });
        streamed("application/x-ndjson", stream::iter(stored).chain(live))
    }

    async fn stored(&self, group: &GroupName) -> store::Result<Vec<telemetry::Found>> {
        let mut lines = Vec::new();
        let mut position = None;
        loop {
            let page = self
                .logs
                .read(&Query {
                    group,
                    streams: Streams::All,
                    from: None,
                    until: None,
                    wanted: &|_| true,
                    dir: Dir::Backward,
                    position,
                    limit: LINES_MAX,
                })
                .await?;
            lines.extend(page.lines);
            position = page.next;
            if position.is_none() || lines.len() >= LINES_MAX {
                lines.reverse();
                return Ok(lines);
            }
        }
    }
}

fn one_line(text: &str) -> Bytes {
    let mut line = serde_json::Value::from(text).to_string();
    line.push('\n');
    line.into()
}

/// Lines of a group as they come, until the machine closes.
fn live_lines(
    live: broadcast::Receiver<Arc<LogLine>>,
    group: GroupName,
    kit: Kit,
) -> impl futures_util::Stream<Item = Arc<LogLine>> + Send + 'static {
    let closing = kit.closing();
    stream::unfold((live, group, closing), |(mut live, group, mut closing)| async move {
        loop {
            let received = tokio::select! {
                received = live.recv() => received,
                () = closing.wait() => return None,
            };
            match received {
                Ok(line) if line.to.group == group => {
                    return Some((line, (live, group, closing)));
                }
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    })
}
