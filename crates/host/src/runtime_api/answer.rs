//! What the Runtime API answers, in AWS's words.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

pub(crate) type Answer = Response<Full<Bytes>>;

/// Why a request was not granted.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    kind: &'static str,
    message: String,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, kind: &'static str, message: String) -> Refusal {
        Refusal { status, kind, message }
    }

    pub(crate) fn forbidden(kind: &'static str, message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::FORBIDDEN, kind, message.into())
    }

    pub(crate) fn invalid_request_id() -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID".into())
    }

    pub(crate) fn into_answer(self) -> Answer {
        let Refusal { status, kind, message } = self;
        json(status, &json!({ "errorMessage": message, "errorType": kind }))
    }
}

pub(crate) fn json(status: StatusCode, value: &Value) -> Answer {
    let mut answer = Response::new(Full::from(value.to_string()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

pub(crate) fn accepted() -> Answer {
    json(StatusCode::ACCEPTED, &json!({ "status": "OK" }))
}

pub(crate) fn not_found() -> Answer {
    let mut answer = Response::new(Full::from("404 page not found\n"));
    *answer.status_mut() = StatusCode::NOT_FOUND;
    answer
}
