//! REST APIs, given whole as an OpenAPI document: `gateway` routes requests by what is stored
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
        id: "apigateway",
        protocols: &[Protocol::RestJson, Protocol::Json10],
        target_prefix: "",
        version: "",
        names: &Names::PLAIN,
    };
    Service::new(about, apis)
        .unserved(include_str!("../unserved.txt"))
        .op("ImportRestApi", definition::import, |ctx, _| vec![resource(ctx, "/restapis")])
        .rest("ImportRestApi", Method::POST, "/restapis", 201)
        .op("PutRestApi", definition::put, |ctx, input| one(ctx, &input.restapi_id))
        .rest("PutRestApi", Method::PUT, "/restapis/{restapi_id}", 200)
        .op("CreateDeployment", definition::deploy, |ctx, input| one(ctx, &input.restapi_id))
        .rest("CreateDeployment", Method::POST, "/restapis/{restapi_id}/deployments", 201)
        .op("GetRestApi", definition::get, |ctx, input| one(ctx, &input.restapi_id))
        .rest("GetRestApi", Method::GET, "/restapis/{restapi_id}", 200)
        .op("GetRestApis", definition::list, |ctx, _| vec![resource(ctx, "/restapis")])
        .rest("GetRestApis", Method::GET, "/restapis", 200)
        .op("DeleteRestApi", definition::delete, |ctx, input| one(ctx, &input.restapi_id))
        .rest("DeleteRestApi", Method::DELETE, "/restapis/{restapi_id}", 202)
}

fn one(ctx: &Ctx, id: &str) -> Vec<Arn> {
    vec![resource(ctx, &format!("/restapis/{id}"))]
}

/// API Gateway's ARNs name no account.
fn resource(ctx: &Ctx, path: &str) -> Arn {
    Arn { account: String::new(), ..ctx.arn("apigateway", path) }
}
