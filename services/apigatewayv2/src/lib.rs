//! HTTP APIs, given whole as an OpenAPI document: `gateway` routes requests by what is stored
//! here.

mod api;
mod error;
mod ops;

use std::sync::Arc;

use base::Arn;
use gateway::apis::Apis;
use http::Method;
use kit::{Api, Ctx, Service};
use wire::{Names, Protocol};

use crate::ops::definition;

/// The service around the APIs that `gateway` routes by.
pub fn service(apis: Arc<Apis>) -> Service {
    let about = Api {
        id: "apigatewayv2",
        protocols: &[Protocol::RestJson, Protocol::Json10],
        target_prefix: "",
        version: "",
        names: &Names::PLAIN,
    };
    Service::new(about, apis)
        .unserved(include_str!("../unserved.txt"))
        .op("ImportApi", definition::import, |ctx, _| vec![resource(ctx, "/apis")])
        .rest("ImportApi", Method::PUT, "/v2/apis", 201)
        .op("ReimportApi", definition::reimport, |ctx, input| one(ctx, &input.api_id))
        .rest("ReimportApi", Method::PUT, "/v2/apis/{apiId}", 201)
        .op("GetApi", definition::get, |ctx, input| one(ctx, &input.api_id))
        .rest("GetApi", Method::GET, "/v2/apis/{apiId}", 200)
        .op("GetApis", definition::list, |ctx, _| vec![resource(ctx, "/apis")])
        .rest("GetApis", Method::GET, "/v2/apis", 200)
        .op("DeleteApi", definition::delete, |ctx, input| one(ctx, &input.api_id))
        .rest("DeleteApi", Method::DELETE, "/v2/apis/{apiId}", 204)
}

fn one(ctx: &Ctx, id: &str) -> Vec<Arn> {
    vec![resource(ctx, &format!("/apis/{id}"))]
}

/// API Gateway's ARNs name no account.
fn resource(ctx: &Ctx, path: &str) -> Arn {
    Arn { account: String::new(), ..ctx.arn("apigateway", path) }
}
