//! The whole server in one process, on a virtual clock.
//!
//! State is in memory, chance is seeded, the port is a free one, and time moves only when the
//! test says so. Requests are real ones over the loopback: nothing between a client and the
//! store is left out.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use base::{SeededRandom, Time, VirtualClock};
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use server::{Config, Server, Storage};

/// When every test begins: the 14th of November 2023.
const BEGINNING: Time = Time::from_millis(1_700_000_000_000);

/// A signature of the right form, for requests that need one: it is not verified.
pub const ANY_SIGNATURE: &str = "AWS4-HMAC-SHA256 \
    Credential=test/20260101/us-east-1/any/aws4_request, SignedHeaders=host, Signature=0";

/// A server and the clock it goes by.
pub struct Machine {
    pub server: Server,
    pub clock: Arc<VirtualClock>,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// What came back, as text.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub text: String,
}

impl Answer {
    /// The body as JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

impl Machine {
    /// Starts an empty server. `seed` decides everything that chance decides.
    ///
    /// # Panics
    /// If it does not start: the test cannot go on.
    pub async fn start(seed: u64) -> Machine {
        let clock = Arc::new(VirtualClock::new(BEGINNING));
        let mut config = Config::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), Storage::Memory);
        config.clock = Arc::clone(&clock) as Arc<dyn base::Clock>;
        config.random = Arc::new(SeededRandom::new(seed));
        let server = Server::start(config).await.unwrap_or_else(|error| panic!("{error}"));
        let client = Client::builder(TokioExecutor::new()).build_http();
        Machine { server, clock, client }
    }

    /// Moves time on and wakes what has waited for it.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// Sends one request and reads the whole answer.
    ///
    /// # Panics
    /// If there is no answer.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let mut request =
            Request::builder().method(method).uri(format!("{}{path}", self.server.url()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).expect("a well-formed request");
        let reply = self.client.request(request).await.expect("the server answers");
        let status = reply.status();
        let body = reply.into_body().collect().await.expect("the answer is whole").to_bytes();
        Answer { status, text: String::from_utf8_lossy(&body).into_owned() }
    }

    /// An operation of the JSON protocols, `AmazonSQS.SendMessage`.
    pub async fn json(&self, target: &str, input: &Value) -> Answer {
        let headers = [
            ("x-amz-target", target),
            ("content-type", "application/x-amz-json-1.0"),
            ("authorization", ANY_SIGNATURE),
            ("x-amz-date", "20260101T000000Z"),
        ];
        self.send(Method::POST, "/", &headers, input.to_string()).await
    }

    /// An operation of the Query protocol, as an encoded form.
    pub async fn form(&self, form: &str) -> Answer {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        self.send(Method::POST, "/", &headers, form.to_owned()).await
    }

    /// A request to the control plane, below `/_cumulet/`.
    pub async fn control(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Answer {
        self.send(method, &format!("/_cumulet/{path}"), &[("x-cumulet", "1")], body).await
    }

    /// Ends the server in order.
    pub async fn stop(self) {
        // An idle connection is one that the server would have to end.
        drop(self.client);
        self.server.stop().await;
    }
}
