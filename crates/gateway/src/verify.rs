use base::{Arn, BoxFuture};
use http::{StatusCode, request};
use kit::Caller;
use wire::sigv4::{self, ParseError};

use crate::Gateway;
use crate::reply::Refusal;

/// Who an access key belongs to and the secret that proves it.
#[derive(Debug, Clone)]
pub struct Identity {
    pub caller: Caller,
    pub secret: String,
    /// Temporary credentials are valid only together with their token.
    pub session_token: Option<String>,
}

/// Something that knows access keys.
pub trait Credentials: Send + Sync + 'static {
    /// The identity behind an access key, if there is one.
    fn find<'a>(&'a self, access_key: &'a str) -> BoxFuture<'a, Option<Identity>>;
}

/// Unknown key, wrong signature and wrong token are told apart by nobody outside.
fn invalid() -> Refusal {
    Refusal::new(
        StatusCode::FORBIDDEN,
        "InvalidSignatureException",
        "The request signature we calculated does not match the signature you provided. Check \
         your AWS Secret Access Key and signing method. Consult the service documentation for \
         details.",
    )
}

/// What a signature is to be for.
pub(crate) struct Purpose<'a> {
    /// The service's id.
    pub(crate) service: &'a str,
    /// Whether there must be one at all.
    pub(crate) needed: bool,
}

/// Finds out who calls. With `--auth` the signature must be right, and for its purpose. Without it
/// any will do; none is the root's, unless it is needed.
pub(crate) async fn caller(
    gateway: &Gateway,
    head: &request::Parts,
    body: &[u8],
    purpose: Option<Purpose<'_>>,
) -> Result<Caller, Refusal> {
    let needed = purpose.as_ref().is_some_and(|purpose| purpose.needed);
    let signed = match sigv4::parse(&head.uri, &head.headers) {
        Ok(signed) => signed,
        Err(error @ ParseError::Twice) if gateway.config.auth || needed => {
            let (status, code) = (StatusCode::BAD_REQUEST, "InvalidSignatureException");
            return Err(Refusal::new(status, code, error.to_string()));
        }
        Err(error) if gateway.config.auth || is_incomplete(&error) && needed => {
            let (status, code) = (StatusCode::BAD_REQUEST, "IncompleteSignatureException");
            return Err(Refusal::new(status, code, error.to_string()));
        }
        // Signatures of other makers are credentials too.
        Err(_) => return Ok(Caller::root(&gateway.kit.account)),
    };
    let Some(signed) = signed else {
        if gateway.config.auth || needed {
            return Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "MissingAuthenticationTokenException",
                "Request is missing Authentication Token",
            ));
        }
        return Ok(Caller::root(&gateway.kit.account));
    };
    let known = gateway.credentials.find(&signed.access_key).await;
    if !gateway.config.auth {
        let mut caller = known.map_or_else(|| Caller::root(&gateway.kit.account), |id| id.caller);
        caller.access_key = signed.access_key;
        return Ok(caller);
    }
    // An unknown key costs the same work as a known one.
    let secret = known.as_ref().map_or("", |identity| &identity.secret);
    let now = gateway.kit.now();
    let verified =
        sigv4::verify(&signed, &head.method, &head.uri, &head.headers, body, secret, now);
    let identity = known.ok_or_else(invalid)?;
    // Services may share a signing name that others' ids begin with: `dynamodb`.
    let other = purpose.filter(|purpose| !purpose.service.starts_with(&signed.service));
    match (verified, other) {
        (Ok(()), Some(Purpose { service, .. })) => Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "InvalidSignatureException",
            format!("Credential should be scoped to correct service: '{service}'."),
        )),
        (Ok(()), None) if identity.session_token == signed.session_token => Ok(identity.caller),
        (Err(sigv4::VerifyError::Expired), _) => Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "InvalidSignatureException",
            "Signature expired: the request's time differs from ours by more than is allowed.",
        )),
        _ => Err(invalid()),
    }
}

/// The control plane is for the root, and for no page of a browser: a header that a simple
/// cross-site request cannot carry is demanded of everything that changes something.
pub(crate) async fn control(
    gateway: &Gateway,
    head: &request::Parts,
    body: &[u8],
) -> Result<(), Refusal> {
    let path = head.uri.path();
    if path.ends_with("/health") {
        return Ok(());
    }
    if head.method != http::Method::GET && !head.headers.contains_key("x-cumulet") {
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "MissingHeader",
            "Control requests carry the header 'x-cumulet: 1'.",
        ));
    }
    let caller = caller(gateway, head, body, None).await?;
    if gateway.config.auth && !is_root(&caller.arn) {
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "AccessDeniedException",
            format!("{} is not authorized to use the control plane", caller.arn),
        ));
    }
    Ok(())
}

fn is_incomplete(error: &ParseError) -> bool {
    matches!(error, ParseError::Incomplete(_))
}

fn is_root(arn: &Arn) -> bool {
    arn.service == "iam" && arn.resource == "root"
}
