//! Packages of functions and layers, for those who were told where: the address is the permission.

use http::{Method, Response, StatusCode, request};

use super::answer;
use crate::Gateway;
use crate::reply::{Body, text};

/// Where they are found.
const PATH_PREFIX: &str = "/_aws/lambda-package/";

/// The token in a path that is one of these.
pub(crate) fn token(path: &str) -> Option<&str> {
    path.strip_prefix(PATH_PREFIX)
}

pub(crate) async fn serve(gateway: &Gateway, token: &str, head: &request::Parts) -> Response<Body> {
    let Ok(functions) = gateway.kit.functions() else { return answer::forbidden() };
    if head.method != Method::GET {
        return answer::forbidden();
    }
    match functions.download(token).await {
        Ok(Some(zip)) => text(StatusCode::OK, "application/zip", zip),
        Ok(None) => answer::forbidden(),
        Err(error) => {
            tracing::warn!(%error, "a package could not be read");
            answer::failed(super::Kind::Http)
        }
    }
}
