//! The way of every request, in order. No step imports a later one.
//!
//! 1. `listen`     accepts the connection and refuses what is not well-formed HTTP (`strict`).
//! 2. `route`      decides where the request goes: control plane, a user's API or function, AWS.
//! 3. `throttle`   takes one of the places for requests in flight.
//! 4. `listen`     reads the body, up to the limit of its destination.
//! 5. `verify`     finds out who calls.
//! 6. `operation`  decodes the input (AWS operations only).
//! 7. `authorize`  decides whether the caller may touch these resources.
//! 8. `operation`, `apis` or `control` does the work.
//! 9. `record`     notes what came of it.

use http::{Request, Response};
use hyper::body::Incoming;
use tracing::debug;

use crate::listen::Origin;
use crate::reply::Body;
use crate::route::Destination;
use crate::{Gateway, apis, control, listen, operation, reply, route, unknown, verify};

/// Takes one request through all steps.
pub(crate) async fn take(
    gateway: &Gateway,
    origin: &Origin,
    request: Request<Incoming>,
) -> Response<Body> {
    let started = gateway.kit.now();
    let (head, body) = request.into_parts();
    let request_id = route::request_id(gateway, &head);
    let (method, path) = (head.method.clone(), head.uri.path().to_owned());
    let response = match step(gateway, origin, &request_id, head, body).await {
        Ok(response) => response,
        Err(refusal) => reply::refuse(&request_id, &refusal),
    };
    let took = gateway.kit.now().since(started);
    let status = response.status().as_u16();
    debug!(request_id, %method, path, status, ?took, "request");
    response
}

async fn step(
    gateway: &Gateway,
    origin: &Origin,
    request_id: &str,
    head: http::request::Parts,
    body: Incoming,
) -> Result<Response<Body>, reply::Refusal> {
    let destination = match route::find(gateway, &head) {
        Ok(destination) => destination,
        Err(refusal) => {
            listen::discard(&head, body).await;
            return Err(refusal);
        }
    };
    let _place = gateway.throttle.enter()?;
    let body = listen::read(&gateway.kit, &head, body, destination.body_bytes_max()).await?;
    match destination {
        Destination::Api(target) => {
            Ok(apis::serve(gateway, origin, request_id, target, &head, body).await)
        }
        Destination::Url(named) => {
            Ok(apis::url::serve_url(gateway, origin, request_id, named, &head, body).await)
        }
        Destination::Download(token) => Ok(apis::download::serve(gateway, &token, &head).await),
        Destination::Control => {
            verify::control(gateway, &head, &body).await?;
            Ok(control::serve(gateway, &head, body).await)
        }
        Destination::Unknown => Ok(unknown::serve(gateway, &head, &body)),
        Destination::Aws(found) => {
            Ok(operation::serve(gateway, request_id, found, &head, body).await)
        }
    }
}
