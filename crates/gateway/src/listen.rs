use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, EXPECT};
use http::{StatusCode, request};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use kit::Kit;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tracing::debug;

use crate::patience::{self, Patient};
use crate::reply::Refusal;
use crate::spelling::{Spelling, Spellings};
use crate::strict::Strict;
use crate::{Gateway, steps};

/// Bytes of request line and headers together; over: 431.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// How long a client may take to send its headers.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a client may take to send its body.
const BODY_TIMEOUT: Duration = Duration::from_secs(300);
/// How much of a body is read that nobody wants, and for how long.
const DISCARDED_BYTES_MAX: usize = 64 * 1024 * 1024;
const DISCARD_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections open at once; further ones wait to be accepted.
const CONNECTIONS_MAX: usize = 20_000;

/// Where a request came in.
pub(crate) struct Origin {
    /// The other end of the connection.
    pub(crate) peer: IpAddr,
    /// The port it was accepted on.
    pub(crate) port: u16,
    /// The names of its headers.
    pub(crate) spelling: Spelling,
}

/// A bound port, on one address or two.
pub struct Listener {
    socket: TcpListener,
    second: Option<TcpListener>,
}

impl Listener {
    /// Binds the address. Port 0 takes a free one.
    pub async fn bind(address: SocketAddr) -> io::Result<Listener> {
        Ok(Listener { socket: TcpListener::bind(address).await?, second: None })
    }

    /// One that is bound already, and does not block.
    pub fn bound(socket: std::net::TcpListener) -> io::Result<Listener> {
        Ok(Listener { socket: TcpListener::from_std(socket)?, second: None })
    }

    /// Binds this address too.
    pub async fn bind_second(&mut self, address: SocketAddr) -> io::Result<()> {
        self.second = Some(TcpListener::bind(address).await?);
        Ok(())
    }

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let Some(second) = &self.second else { return self.socket.accept().await };
        tokio::select! {
            accepted = self.socket.accept() => accepted,
            accepted = second.accept() => accepted,
        }
    }

    /// The address bound first.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves until the machine closes, then lets every accepted request end. Clients that do
    /// not read or send are waited for no longer than `patience` says.
    pub async fn run(self, gateway: Arc<Gateway>) {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut closing = gateway.kit.closing();
        let port = self.address().map_or(0, |address| address.port());
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let accepted = tokio::select! {
                accepted = self.accept() => accepted,
                () = closing.wait() => break,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of descriptors, most likely: others will close.
                    tracing::warn!(%error, "accept failed");
                    base::sleep(&*gateway.kit.clock, Duration::from_millis(50)).await;
                    continue;
                }
            };
            let gateway = Arc::clone(&gateway);
            base::task::spawn("connection", async move {
                // A socket for both families sees IPv4 as a part of IPv6.
                serve(gateway, stream, peer.ip().to_canonical(), port).await;
                drop(place);
            });
        }
        drop((self.socket, self.second));
        // Every place back means every connection has ended.
        let all = u32::try_from(CONNECTIONS_MAX).unwrap_or(u32::MAX);
        let _drained = places.acquire_many(all).await;
    }
}

async fn serve(gateway: Arc<Gateway>, stream: TcpStream, peer: IpAddr, port: u16) {
    let _unsupported = stream.set_nodelay(true);
    let mut closing = gateway.kit.closing();
    let kit = gateway.kit.clone();
    let spellings = Spellings::default();
    let heads = spellings.clone();
    let service = service_fn(move |request| {
        let gateway = Arc::clone(&gateway);
        let origin = Origin { peer, port, spelling: heads.next() };
        async move { Ok::<_, Infallible>(steps::take(&gateway, &origin, request).await) }
    });
    let (read, write) = stream.into_split();
    let stream = tokio::io::join(Strict::new(read, spellings), Patient::new(write, &kit));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = closing.wait() => {
            connection.as_mut().graceful_shutdown();
            connection.as_mut().await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "connection ended");
    }
}

fn announced(head: &request::Parts) -> Option<usize> {
    head.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads what nobody wants of a body, so that its sender reads the answer instead of finding the
/// connection broken; not without bound.
pub(crate) async fn discard(head: &request::Parts, body: Incoming) {
    // Who asks first, or announces more, has not sent it yet.
    let is_large = announced(head).is_some_and(|length| length > DISCARDED_BYTES_MAX);
    if is_large || head.headers.contains_key(EXPECT) {
        return;
    }
    let mut body = Limited::new(body, DISCARDED_BYTES_MAX);
    let all = async { while let Some(Ok(_)) = body.frame().await {} };
    let _too_slow = tokio::time::timeout(DISCARD_TIMEOUT, all).await;
}

/// Reads the whole body, up to `bytes_max`.
pub(crate) async fn read(
    kit: &Kit,
    head: &request::Parts,
    body: Incoming,
    bytes_max: usize,
) -> Result<Bytes, Refusal> {
    let too_large = || {
        Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLargeException",
            format!("Request must be smaller than {bytes_max} bytes for this operation"),
        )
        .and_close()
    };
    if announced(head).is_some_and(|length| length > bytes_max) {
        discard(head, body).await;
        return Err(too_large());
    }
    let collected = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, bytes_max).collect());
    let collected = tokio::select! {
        biased;
        collected = collected => collected.ok(),
        () = patience::ended(kit) => None,
    };
    match collected {
        Some(Ok(body)) => Ok(body.to_bytes()),
        Some(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Some(Err(error)) => Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "BadRequest",
            format!("The body could not be read: {error}"),
        )
        .and_close()),
        None => Err(Refusal::new(
            StatusCode::REQUEST_TIMEOUT,
            "RequestTimeout",
            "The body did not arrive in time.",
        )
        .and_close()),
    }
}
