use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use http::header::{CONNECTION, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;
use serde_json::json;

/// The body of any response: whole or streamed.
pub type Body = UnsyncBoxBody<Bytes, CutOff>;

/// A body ends before its time. The connection is closed, so that the client does not take for the
/// whole what it has.
#[derive(Debug, thiserror::Error)]
#[error("the response was cut off")]
pub struct CutOff;

/// A whole body.
pub(crate) fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A response with a content type and a whole body.
pub fn text(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Body> {
    let mut response = Response::new(whole(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Lines that come one by one, each a frame of the body.
pub fn streamed(
    content_type: &'static str,
    lines: impl Stream<Item = Bytes> + Send + 'static,
) -> Response<Body> {
    let mut response = Response::new(pieces(lines.map(Ok)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// A body that comes piece by piece.
pub(crate) fn pieces(pieces: impl Stream<Item = Result<Bytes, CutOff>> + Send + 'static) -> Body {
    StreamBody::new(pieces.map_ok(Frame::data)).boxed_unsync()
}

/// A request that gets no further than the front door.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// The connection cannot be trusted to be in step any more.
    pub(crate) close: bool,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Refusal { status, code, message: message.into(), close: false }
    }

    pub(crate) fn and_close(mut self) -> Refusal {
        self.close = true;
        self
    }
}

/// Refusals come before a protocol is known, so they are JSON with the headers every SDK reads.
pub(crate) fn refuse(request_id: &str, refusal: &Refusal) -> Response<Body> {
    let body = json!({"__type": refusal.code, "message": refusal.message}).to_string();
    let mut response = text(refusal.status, "application/json", body);
    let headers = response.headers_mut();
    headers.insert("x-amzn-errortype", HeaderValue::from_static(refusal.code));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert("x-amzn-requestid", id);
    }
    if refusal.close {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if refusal.status == StatusCode::PAYLOAD_TOO_LARGE {
        // AWS sends these without a length.
        return response.map(|body| pieces(body.into_data_stream()));
    }
    response
}
