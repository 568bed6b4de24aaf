//! Responses of functions that are passed on as they are produced.
//!
//! Of the content type [`WITH_HEAD`] the first bytes are a head, as JSON, and eight zeros; anything
//! else is the body of a 200 as it is, also what a function answers that does not stream.

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};
use kit::functions::{Invoke, Part};

use super::serve::integration_timeout;
use super::{Kind, answer};
use crate::Gateway;
use crate::reply::{Body, CutOff, pieces, whole};

const WITH_HEAD: &str = "application/vnd.awslambda.http-integration-response";
const DELIMITER: [u8; 8] = [0; 8];
/// Status, headers and cookies together.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Runs a function and answers as soon as the head of its response is known.
pub(super) async fn serve(gateway: &Gateway, call: Invoke) -> Response<Body> {
    let failed = || answer::failed(Kind::Url);
    let Ok(functions) = gateway.kit.functions() else { return failed() };
    let due = base::sleep(&*gateway.kit.clock, integration_timeout(Kind::Url));
    let beginning = async {
        let streamed = match functions.stream(call).await {
            Ok(streamed) => streamed,
            Err(error) if error.status == 429 => return answer::throttled(Kind::Url),
            Err(error) => {
                tracing::warn!(%error, "the function of a URL could not be run");
                return failed();
            }
        };
        let begun = match streamed.content_type.as_str() {
            WITH_HEAD => with_head(streamed.parts).await,
            content_type => bare(content_type, streamed.parts).await,
        };
        begun.unwrap_or_else(failed)
    };
    tokio::select! {
        response = beginning => response,
        () = due => answer::late(Kind::Url),
    }
}

/// `None` if the function fails before its first byte.
async fn bare(content_type: &str, mut parts: BoxStream<'static, Part>) -> Option<Response<Body>> {
    let body = match parts.next().await? {
        Part::Chunk(first) => body(first, parts),
        Part::Complete => whole(""),
        Part::Ended(ended) => {
            ended.ok().filter(|invoked| invoked.error.is_none()).map(|_| whole(""))?
        }
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_str(content_type).ok()?);
    Some(response)
}

/// `None` if there is no whole head, or it is malformed.
async fn with_head(mut parts: BoxStream<'static, Part>) -> Option<Response<Body>> {
    let mut begun = BytesMut::new();
    let end = loop {
        let seen = begun.len().saturating_sub(DELIMITER.len() - 1);
        let Part::Chunk(more) = parts.next().await? else { return None };
        begun.extend_from_slice(&more);
        let windows = &mut begun[seen..].windows(DELIMITER.len());
        match windows.position(|bytes| bytes == DELIMITER) {
            Some(at) => break seen + at,
            None if begun.len() > HEAD_BYTES_MAX => return None,
            None => {}
        }
    };
    let head = serde_json::from_slice(&begun[..end]).ok()?;
    let first = begun.freeze().slice(end + DELIMITER.len()..);
    let mut response = answer::head(&head, body(first, parts))?;
    let usual = HeaderValue::from_static("application/octet-stream");
    response.headers_mut().entry(CONTENT_TYPE).or_insert(usual);
    Some(response)
}

/// The rest of a response. It is cut off where the function fails.
fn body(first: Bytes, parts: BoxStream<'static, Part>) -> Body {
    let first = Some(Ok(first)).filter(|first| !matches!(first, Ok(bytes) if bytes.is_empty()));
    let rest = stream::unfold(Some(parts), |parts| async move {
        let mut parts = parts?;
        match parts.next().await? {
            Part::Chunk(bytes) => Some((Ok(bytes), Some(parts))),
            Part::Ended(Ok(invoked)) if invoked.error.is_none() => None,
            Part::Ended(_) => {
                // The connection is given a turn to send what came before.
                tokio::task::yield_now().await;
                Some((Err(CutOff), None))
            }
            Part::Complete => None,
        }
    });
    pieces(stream::iter(first).chain(rest))
}
