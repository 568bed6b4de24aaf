//! Which bodies are text and which are bytes. An HTTP API tells by the type; a REST API takes all
//! as text but the types its definition calls binary.

use super::{Api, Kind};

/// Whether a body of this content type reaches a function in base64.
pub(super) fn is_binary(api: &Api, content_type: &str) -> bool {
    let kind = bare(content_type);
    match api.kind {
        Kind::Http | Kind::Url => !is_text(kind) || is_among(&api.binary_media_types, kind),
        Kind::Rest => is_among(&api.binary_media_types, kind),
    }
}

/// Whether a function's answer in base64 is decoded for a client that accepts this. A REST API
/// looks at the first type accepted alone; other clients get the base64 as it is.
pub(super) fn is_decoded(api: &Api, accept: &str) -> bool {
    match api.kind {
        Kind::Http | Kind::Url => true,
        Kind::Rest => {
            let first = accept.split(',').next().unwrap_or_default();
            is_among(&api.binary_media_types, bare(first))
        }
    }
}

/// A media type without its parameters.
fn bare(kind: &str) -> &str {
    kind.split(';').next().unwrap_or_default().trim()
}

/// Whether a type is one of an API's binary media types: itself, `image/*`, or `*/*`.
fn is_among(binary: &[String], kind: &str) -> bool {
    let group = kind.split('/').next().unwrap_or_default();
    binary.iter().any(|known| match known.strip_suffix("/*") {
        Some("*") => true,
        Some(known) => known.eq_ignore_ascii_case(group),
        None => known.eq_ignore_ascii_case(kind),
    })
}

/// Types an HTTP API passes on as they are. No type is none of them, nor is that of a form.
fn is_text(kind: &str) -> bool {
    kind.starts_with("text/")
        || kind.ends_with("+json")
        || kind.ends_with("+xml")
        || matches!(kind, "application/json" | "application/xml" | "application/javascript")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apis::tests::api;

    fn with(kind: Kind, binary: &[&str]) -> Api {
        let binary_media_types = binary.iter().map(|kind| (*kind).to_owned()).collect();
        Api { binary_media_types, ..api(kind) }
    }

    #[test]
    fn a_rest_api_takes_all_as_text_that_it_does_not_call_binary() {
        let plain = with(Kind::Rest, &[]);
        for kind in ["", "application/x-www-form-urlencoded", "image/svg+xml", "application/pdf"] {
            assert!(!is_binary(&plain, kind), "{kind}");
        }
        let binary = with(Kind::Rest, &["image/*", "Application/JSON"]);
        assert!(is_binary(&binary, "image/png"));
        assert!(is_binary(&binary, "application/json; charset=utf-8"));
        assert!(!is_binary(&binary, "text/plain"));
        assert!(!is_binary(&binary, ""));
        for kind in ["text/plain", ""] {
            assert!(is_binary(&with(Kind::Rest, &["*/*"]), kind));
        }
    }

    #[test]
    fn an_http_api_tells_by_the_type() {
        let plain = with(Kind::Http, &[]);
        for (kind, binary) in [
            ("", true),
            ("text/html; charset=utf-8", false),
            ("application/json", false),
            ("application/x-www-form-urlencoded", true),
            ("image/png", true),
        ] {
            assert_eq!(is_binary(&plain, kind), binary, "{kind}");
        }
    }

    #[test]
    fn a_rest_api_decodes_what_the_client_accepts_first() {
        let binary = with(Kind::Rest, &["image/png"]);
        assert!(is_decoded(&binary, "image/png"));
        assert!(is_decoded(&binary, "image/png;q=1, text/html"));
        for accept in ["", "*/*", "text/html, image/png"] {
            assert!(!is_decoded(&binary, accept), "{accept}");
            assert!(is_decoded(&with(Kind::Rest, &["*/*"]), accept), "{accept}");
            assert!(is_decoded(&with(Kind::Http, &[]), accept), "{accept}");
        }
    }
}
