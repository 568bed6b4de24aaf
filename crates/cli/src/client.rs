//! Talking to a running platform.

use anyhow::{Context as _, bail};
use bytes::Bytes;
use clap::Args;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// Which platform a command talks to.
#[derive(Args)]
pub(crate) struct Connection {
    /// Address of the running platform
    #[arg(long, env = "AWS_ENDPOINT_URL", default_value = "http://127.0.0.1:4566")]
    endpoint: String,
}

/// A connection to a running platform.
pub(crate) struct Client {
    pool: Pool<HttpConnector, Full<Bytes>>,
    endpoint: String,
}

/// An answer in whole.
pub(crate) struct Answer {
    pub(crate) response: Response<()>,
    pub(crate) body: Bytes,
}

impl Client {
    pub(crate) fn new(connection: &Connection) -> Client {
        let pool = Pool::builder(TokioExecutor::new()).build_http();
        Client { pool, endpoint: connection.endpoint.trim_end_matches('/').to_owned() }
    }

    /// Sends a request and gives the response with its body still to come.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> anyhow::Result<Response<Incoming>> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.endpoint))
            .header("x-cumulet", "1");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into()))?;
        self.pool.request(request).await.with_context(|| {
            format!(
                "no platform answers at {}\nhelp: start one with `cumulet serve` or `cumulet dev`, \
                 or name another with --endpoint",
                self.endpoint
            )
        })
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> anyhow::Result<Answer> {
        let (head, body) = self.send(method, path, headers, body).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Answer { response: Response::from_parts(head, ()), body })
    }

    /// A control request: JSON there and back, an error where the platform says one.
    pub(crate) async fn control(
        &self,
        method: Method,
        path: &str,
        body: &Value,
    ) -> anyhow::Result<Value> {
        let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body)? };
        let answer = self.call(method, &format!("/_cumulet/{path}"), &[], body).await?;
        let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if !answer.response.status().is_success() {
            match value["message"].as_str() {
                Some(message) => bail!("{message}"),
                None => bail!("the platform answered {}", answer.response.status()),
            }
        }
        Ok(value)
    }
}
