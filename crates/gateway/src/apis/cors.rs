use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use serde::{Deserialize, Serialize};

use crate::reply::{Body, whole};

/// Cross-origin rules of an HTTP API, as `x-amazon-apigateway-cors` has them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Cors {
    pub allow_origins: Vec<String>,
    pub allow_methods: Vec<String>,
    pub allow_headers: Vec<String>,
    pub expose_headers: Vec<String>,
    /// Seconds a browser may remember the answer.
    pub max_age: Option<u32>,
    pub allow_credentials: bool,
}

impl Cors {
    /// The origin to name in an answer, if the request's is allowed. Credentials never go with
    /// a wildcard, so then the origin itself is named.
    fn allowed<'a>(&'a self, origin: &'a str) -> Option<&'a str> {
        let any = self.allow_origins.iter().any(|allowed| allowed == "*");
        if any && !self.allow_credentials {
            return Some("*");
        }
        let matches = |allowed: &String| match allowed.split_once('*') {
            // `https://*`: a scheme with any host.
            Some((scheme, "")) if !scheme.is_empty() => origin.starts_with(scheme),
            _ => allowed == origin,
        };
        self.allow_origins.iter().any(matches).then_some(origin)
    }

    /// Adds to an ordinary answer what a browser wants to see.
    pub(super) fn decorate(&self, request: &HeaderMap, answer: &mut HeaderMap) {
        let Some(origin) = origin(request).and_then(|origin| self.allowed(origin)) else { return };
        set(answer, "access-control-allow-origin", origin);
        if self.allow_credentials {
            set(answer, "access-control-allow-credentials", "true");
        }
        if !self.expose_headers.is_empty() {
            set(answer, "access-control-expose-headers", &self.expose_headers.join(","));
        }
    }

    /// The answer to an OPTIONS request that no route takes.
    pub(super) fn preflight(&self, request: &HeaderMap) -> Response<Body> {
        let mut response = Response::new(whole(""));
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        self.decorate(request, headers);
        if headers.contains_key("access-control-allow-origin") {
            if !self.allow_methods.is_empty() {
                set(headers, "access-control-allow-methods", &self.allow_methods.join(","));
            }
            if !self.allow_headers.is_empty() {
                set(headers, "access-control-allow-headers", &self.allow_headers.join(","));
            }
            if let Some(age) = self.max_age {
                set(headers, "access-control-max-age", &age.to_string());
            }
        }
        response
    }
}

fn origin(request: &HeaderMap) -> Option<&str> {
    request.get(http::header::ORIGIN)?.to_str().ok()
}

fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_named_only_if_it_is_listed_and_never_as_a_star_with_credentials() {
        let cors = |origins: &[&str], allow_credentials| Cors {
            allow_origins: origins.iter().map(|o| (*o).to_owned()).collect(),
            allow_credentials,
            ..Cors::default()
        };
        assert_eq!(cors(&["*"], false).allowed("http://a"), Some("*"));
        assert_eq!(cors(&["*"], true).allowed("http://a"), None);
        assert_eq!(cors(&["http://a"], true).allowed("http://a"), Some("http://a"));
        assert_eq!(cors(&["http://a"], false).allowed("http://b"), None);
        assert_eq!(cors(&["https://*"], false).allowed("https://b"), Some("https://b"));
    }
}
