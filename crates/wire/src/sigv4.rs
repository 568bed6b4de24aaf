//! Signature version 4: who signed a request, and whether the signature is right. Written after
//! AWS's documentation of the signing process.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use base::Time;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, Method, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Characters that stay as they are in a canonical request.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// `20261121T080000Z`.
const TIME_FORMAT: &str = "%Y%m%dT%H%M%SZ";
/// How far a request's time may be from ours.
const SKEW_MAX: Duration = Duration::from_secs(5 * 60);
/// The same for S3.
const S3_SKEW_MAX: Duration = Duration::from_secs(15 * 60);
/// The longest a presigned request may be valid: seven days, in seconds.
const EXPIRES_SECS_MAX: u64 = 604_800;

/// What a request says about its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    pub access_key: String,
    /// `20261121`.
    pub date: String,
    pub region: String,
    pub service: String,
    /// Lower-case names, in the order given.
    pub signed_headers: Vec<String>,
    /// Hexadecimal.
    pub signature: String,
    pub session_token: Option<String>,
    /// `20261121T080000Z`.
    pub timestamp: String,
    /// Seconds a presigned request is valid; `None` for one signed by header.
    pub presigned: Option<u64>,
}

/// A signature that is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Parts are missing, and the message names each.
    #[error("{0}")]
    Incomplete(String),
    #[error(
        "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header."
    )]
    Twice,
    #[error("Credential must have the form KEY/DATE/REGION/SERVICE/aws4_request.")]
    Credential,
    #[error("Algorithm '{0}' is not served.")]
    Algorithm(String),
    #[error("X-Amz-Expires must be a number of seconds up to 604800.")]
    Expires,
}

/// A signature that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    #[error("the request's time is too far from ours, or it has expired")]
    Expired,
    #[error("the signature does not match")]
    Mismatch,
}

/// Reads the signature of a request, from its header or its query string. `None`: it has none of
/// this version.
pub fn parse(uri: &Uri, headers: &HeaderMap) -> Result<Option<Signed>, ParseError> {
    let query = query_pairs(uri);
    let authorization = text(headers, "authorization");
    if query.iter().any(|(name, _)| name == "X-Amz-Algorithm") {
        return match authorization {
            Some(_) => Err(ParseError::Twice),
            None => from_query(&query).map(Some),
        };
    }
    match authorization.filter(|value| value.starts_with("AWS4-")) {
        Some(authorization) => from_header(authorization, headers).map(Some),
        None => Ok(None),
    }
}

fn from_query(query: &[(String, String)]) -> Result<Signed, ParseError> {
    let find = |wanted: &str| {
        let mut pairs = query.iter();
        pairs.find(|(name, value)| name == wanted && !value.is_empty()).map(|(_, v)| v.clone())
    };
    let mut missing = String::new();
    let mut required = |name: &str| {
        find(name).unwrap_or_else(|| {
            missing += &format!("AWS query-string parameters must include '{name}'. ");
            String::new()
        })
    };
    let fields = Fields {
        algorithm: required("X-Amz-Algorithm"),
        credential: required("X-Amz-Credential"),
        signature: required("X-Amz-Signature"),
        signed_headers: required("X-Amz-SignedHeaders"),
        timestamp: required("X-Amz-Date"),
        session_token: find("X-Amz-Security-Token"),
    };
    if !missing.is_empty() {
        missing += "Re-examine the query-string parameters.";
        return Err(ParseError::Incomplete(missing));
    }
    let expires = find("X-Amz-Expires").and_then(|text| text.parse().ok());
    let expires = expires.filter(|secs| *secs <= EXPIRES_SECS_MAX).ok_or(ParseError::Expires)?;
    Ok(Signed { presigned: Some(expires), ..fields.signed()? })
}

fn from_header(authorization: &str, headers: &HeaderMap) -> Result<Signed, ParseError> {
    let mut parts = authorization.split([',', ' ']);
    let algorithm = parts.next().unwrap_or_default().to_owned();
    let pairs: Vec<(&str, &str)> = parts.filter_map(|part| part.split_once('=')).collect();
    let mut missing = String::new();
    let mut required = |name: &str| {
        let found = pairs.iter().find(|(key, value)| *key == name && !value.is_empty());
        found.map(|(_, value)| (*value).to_owned()).unwrap_or_else(|| {
            missing += &format!("Authorization header requires '{name}' parameter. ");
            String::new()
        })
    };
    let credential = required("Credential");
    let signature = required("Signature");
    let signed_headers = required("SignedHeaders");
    let timestamp = text(headers, "x-amz-date").or_else(|| text(headers, "date"));
    if timestamp.is_none() {
        missing += "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' \
                    header. ";
    }
    if !missing.is_empty() {
        missing += &format!("Authorization={authorization}");
        return Err(ParseError::Incomplete(missing));
    }
    let timestamp = timestamp.map(basic_time).unwrap_or_default();
    let session_token = text(headers, "x-amz-security-token").map(str::to_owned);
    Fields { algorithm, credential, signed_headers, signature, session_token, timestamp }.signed()
}

/// The time of a `Date` header as signatures have it; what is no such date stays as it is.
fn basic_time(header: &str) -> String {
    match jiff::fmt::rfc2822::parse(header) {
        Ok(date) => date.with_time_zone(jiff::tz::TimeZone::UTC).strftime(TIME_FORMAT).to_string(),
        Err(_) => header.to_owned(),
    }
}

struct Fields {
    algorithm: String,
    credential: String,
    signed_headers: String,
    signature: String,
    session_token: Option<String>,
    timestamp: String,
}

impl Fields {
    fn signed(self) -> Result<Signed, ParseError> {
        if self.algorithm != "AWS4-HMAC-SHA256" {
            return Err(ParseError::Algorithm(self.algorithm));
        }
        let [access_key, date, region, service, "aws4_request"] =
            self.credential.split('/').collect::<Vec<_>>()[..]
        else {
            return Err(ParseError::Credential);
        };
        Ok(Signed {
            access_key: access_key.to_owned(),
            date: date.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            signed_headers: self.signed_headers.split(';').map(str::to_lowercase).collect(),
            signature: self.signature,
            session_token: self.session_token,
            timestamp: self.timestamp,
            presigned: None,
        })
    }
}

/// Verifies a signature with the secret of its access key. Takes the same time whether the
/// secret, the request or the signature is wrong.
pub fn verify(
    signed: &Signed,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
    secret: &str,
    now: Time,
) -> Result<(), VerifyError> {
    let expected = signature(signed, method, uri, headers, body, secret);
    let equal: bool = expected.as_bytes().ct_eq(signed.signature.as_bytes()).into();
    let is_signed = |name: &str| signed.signed_headers.iter().any(|signed| signed == name);
    // What says which operation is meant must not be put to a request that another has signed.
    let names = headers.keys().map(http::HeaderName::as_str);
    let all_signed =
        is_signed("host") && names.filter(|name| name.starts_with("x-amz-")).all(is_signed);
    let scope_matches = signed.timestamp.starts_with(&signed.date);
    if !equal || !all_signed || !scope_matches || !body_matches(signed, headers, body) {
        return Err(VerifyError::Mismatch);
    }
    let at = parse_time(&signed.timestamp).ok_or(VerifyError::Mismatch)?;
    let skew = if signed.service == "s3" { S3_SKEW_MAX } else { SKEW_MAX };
    let valid = signed.presigned.map_or(skew, Duration::from_secs);
    if at > now + skew || now > at + valid {
        return Err(VerifyError::Expired);
    }
    Ok(())
}

/// A body hash that the client announced must be that of the body, unless it is left unsigned.
fn body_matches(signed: &Signed, headers: &HeaderMap, body: &[u8]) -> bool {
    match text(headers, "x-amz-content-sha256") {
        Some("UNSIGNED-PAYLOAD") => signed.service == "s3" || signed.presigned.is_some(),
        Some(announced) => announced == hex(&Sha256::digest(body)),
        None => true,
    }
}

/// The signature a request should have.
pub fn signature(
    signed: &Signed,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
    secret: &str,
) -> String {
    let payload = match text(headers, "x-amz-content-sha256") {
        Some(announced) => announced.to_owned(),
        None if signed.presigned.is_some() && signed.service == "s3" => "UNSIGNED-PAYLOAD".into(),
        None => hex(&Sha256::digest(body)),
    };
    let mut canonical = format!(
        "{method}\n{}\n{}\n",
        canonical_path(uri.path(), signed.service == "s3"),
        canonical_query(uri)
    );
    for name in &signed.signed_headers {
        let values: Vec<String> = headers.get_all(name).iter().map(collapsed).collect();
        let _infallible = writeln!(canonical, "{name}:{}", values.join(","));
    }
    let _infallible = write!(canonical, "\n{}\n{payload}", signed.signed_headers.join(";"));
    let Signed { date, region, service, timestamp, .. } = signed;
    let scope = format!("{date}/{region}/{service}/aws4_request");
    let hashed = hex(&Sha256::digest(canonical.as_bytes()));
    let to_sign = format!("AWS4-HMAC-SHA256\n{timestamp}\n{scope}\n{hashed}");
    let mut key = format!("AWS4{secret}").into_bytes();
    for part in [date, region, service, "aws4_request"] {
        key = mac(&key, part.as_bytes());
    }
    hex(&mac(&key, to_sign.as_bytes()))
}

fn mac(key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

/// Each segment escaped once more, dot segments resolved; for S3 the path as it is.
fn canonical_path(path: &str, s3: bool) -> String {
    if s3 {
        return path.to_owned();
    }
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    let mut canonical = String::from("/");
    for (index, segment) in segments.iter().enumerate() {
        if index > 0 {
            canonical.push('/');
        }
        canonical.extend(utf8_percent_encode(segment, UNRESERVED));
    }
    if path.ends_with('/') && !segments.is_empty() {
        canonical.push('/');
    }
    canonical
}

fn canonical_query(uri: &Uri) -> String {
    let mut sorted: BTreeMap<(String, String), usize> = BTreeMap::new();
    let escape = |text: &str| utf8_percent_encode(text, UNRESERVED).to_string();
    for (key, value) in query_pairs(uri) {
        if key != "X-Amz-Signature" {
            *sorted.entry((escape(&key), escape(&value))).or_default() += 1;
        }
    }
    let repeated =
        sorted.into_iter().flat_map(|((key, value), times)| vec![format!("{key}={value}"); times]);
    repeated.collect::<Vec<_>>().join("&")
}

/// The query string decoded. A plus is a plus here, not a space.
fn query_pairs(uri: &Uri) -> Vec<(String, String)> {
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let pairs = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        })
        .collect()
}

/// A header's value with outer spaces gone and inner ones single.
fn collapsed(value: &http::HeaderValue) -> String {
    let value = String::from_utf8_lossy(value.as_bytes());
    value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

fn parse_time(timestamp: &str) -> Option<Time> {
    let time = jiff::civil::DateTime::strptime(TIME_FORMAT, timestamp).ok()?;
    let millis = time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond();
    Some(Time::from_millis(u64::try_from(millis).ok()?))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use http::Request;
    use proptest::prelude::*;

    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    /// The worked example of AWS's documentation: ListUsers of IAM.
    fn example() -> Request<()> {
        Request::get("/?Action=ListUsers&Version=2010-05-08")
            .header("host", "iam.amazonaws.com")
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
            .header("x-amz-date", "20150830T123600Z")
            .header(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
                 SignedHeaders=content-type;host;x-amz-date, \
                 Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
            )
            .body(())
            .unwrap()
    }

    fn check(
        request: &Request<()>,
        body: &[u8],
        secret: &str,
        now: &str,
    ) -> Result<(), VerifyError> {
        let (method, uri, headers) = (request.method(), request.uri(), request.headers());
        let signed = parse(uri, headers).unwrap().unwrap();
        verify(&signed, method, uri, headers, body, secret, parse_time(now).unwrap())
    }

    #[test]
    fn the_documented_example_is_verified() {
        assert_eq!(check(&example(), b"", SECRET, "20150830T123600Z"), Ok(()));
    }

    #[test]
    fn anything_changed_is_refused() {
        let now = "20150830T123600Z";
        assert_eq!(check(&example(), b"x", SECRET, now), Err(VerifyError::Mismatch));
        assert_eq!(check(&example(), b"", "other", now), Err(VerifyError::Mismatch));
        let mut other = example();
        *other.uri_mut() = "/?Action=DeleteUser&Version=2010-05-08".parse().unwrap();
        assert_eq!(check(&other, b"", SECRET, now), Err(VerifyError::Mismatch));
        let mut other = example();
        other.headers_mut().insert("host", "evil.example".parse().unwrap());
        assert_eq!(check(&other, b"", SECRET, now), Err(VerifyError::Mismatch));
        let mut other = example();
        other.headers_mut().insert("x-amz-target", "AmazonSQS.ListQueues".parse().unwrap());
        assert_eq!(check(&other, b"", SECRET, now), Err(VerifyError::Mismatch));
        assert_eq!(check(&example(), b"", SECRET, "20150830T124101Z"), Err(VerifyError::Expired));
        assert_eq!(check(&example(), b"", SECRET, "20150830T123059Z"), Err(VerifyError::Expired));
    }

    fn refused(uri: &'static str, authorization: Option<&'static str>, date: bool) -> String {
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization {
            headers.insert("authorization", value.parse().unwrap());
        }
        if date {
            headers.insert("date", "a".parse().unwrap());
        }
        match parse(&Uri::from_static(uri), &headers) {
            Ok(found) => format!("{:?}", found.is_some()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_is_missing_is_named_in_the_words_of_aws() {
        let date = "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' \
                    header. ";
        let header = |names: &[&str], rest: &str| {
            let each = |name| format!("Authorization header requires '{name}' parameter. ");
            names.iter().map(each).collect::<String>() + rest
        };
        let all = header(&["Credential", "Signature", "SignedHeaders"], date);
        assert_eq!(refused("/", Some("AWS4-"), false), all + "Authorization=AWS4-");
        for given in ["AWS4- Signature=b Credential=a", "AWS4- Signature=b, Credential=a"] {
            let message = header(&["SignedHeaders"], &format!("Authorization={given}"));
            assert_eq!(refused("/", Some(given), true), message);
        }
        assert_eq!(
            refused(
                "/?X-Amz-Algorithm=a&X-Amz-Credential=b&X-Amz-Signature=c&X-Amz-Date=d",
                None,
                false
            ),
            "AWS query-string parameters must include 'X-Amz-SignedHeaders'. Re-examine the \
             query-string parameters."
        );
        assert!(refused("/?X-Amz-Algorithm", Some("AWS4-"), true).starts_with("Found both"));
        assert_eq!(refused("/?X-Amz-Signature=b", Some("AWS key:signature"), true), "false");
    }

    #[test]
    fn the_date_may_stand_in_its_own_header() {
        assert_eq!(basic_time("Sun, 30 Aug 2015 12:36:00 GMT"), "20150830T123600Z");
        assert_eq!(basic_time("20150830T123600Z"), "20150830T123600Z");
    }

    #[test]
    fn paths_are_normalised_and_escaped_again() {
        assert_eq!(canonical_path("/a%20b//c/../d/", false), "/a%2520b/d/");
        assert_eq!(canonical_path("/", false), "/");
        assert_eq!(canonical_path("/a//b%20c", true), "/a//b%20c");
    }

    proptest! {
        #[test]
        fn no_authorization_panics(value in "[ -~]{0,120}") {
            let mut headers = HeaderMap::new();
            headers.insert("authorization", value.parse().unwrap());
            let _either = parse(&Uri::from_static("/"), &headers);
        }
    }
}
