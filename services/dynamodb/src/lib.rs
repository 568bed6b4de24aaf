//! DynamoDB: tables of items, found by key, read in order, written under conditions.
//!
//! A request becomes values ([`value`], [`number`]) and trees ([`expression`]), is judged by
//! [`rules`] in the order in which AWS finds faults, and ends in one look-up, one range or one
//! transaction of the store ([`data`]).

mod api;
mod data;
mod error;
mod expression;
mod item;
mod number;
mod ops;
mod rules;
mod value;
mod work;

use std::sync::Arc;

use kit::{Api, Every, Kit, Service};
use wire::{Names, Protocol};

use crate::data::Tables;
use crate::ops::{batch, item as items, query, table, touched};
use crate::work::{count, index, reap};

/// The dynamodb service.
pub fn service(_: &Kit) -> Service {
    let api = Api {
        id: "dynamodb",
        protocols: &[Protocol::Json10],
        target_prefix: "DynamoDB_20120810",
        version: "",
        names: &Names {
            json_namespace: "com.amazonaws.dynamodb.v20120810#",
            crc32: true,
            ..Names::PLAIN
        },
    };
    Service::new(api, Arc::new(Tables::default()))
        .op("CreateTable", table::create, |ctx, i| touched(ctx, i.table_name.as_ref()))
        .op("DescribeTable", table::describe, |ctx, i| touched(ctx, i.table_name.as_ref()))
        .op("ListTables", table::list, |ctx, _| vec![ctx.arn("dynamodb", "table/*")])
        .op("UpdateTable", table::update, |ctx, i| touched(ctx, i.table_name.as_ref()))
        .op("DeleteTable", table::delete, |ctx, i| touched(ctx, i.table_name.as_ref()))
        .op("ListTagsOfResource", table::list_tags, |ctx, i| touched(ctx, i.resource_arn.as_ref()))
        .op("GetItem", items::get, |ctx, i| touched(ctx, i.table_name.as_ref()))
        .op("PutItem", items::put, |ctx, i| touched(ctx, i.table_name.as_ref()))
        .op("UpdateItem", items::update, |ctx, i| touched(ctx, i.table_name.as_ref()))
        .op("DeleteItem", items::delete, |ctx, i| touched(ctx, i.table_name.as_ref()))
        .op("Query", query::query, |ctx, i| touched(ctx, i.table_name.as_ref()))
        .op("Scan", query::scan, |ctx, i| touched(ctx, i.table_name.as_ref()))
        .op("BatchGetItem", batch::get, |ctx, i| batch::touched_by(ctx, i.request_items.as_ref()))
        .op("BatchWriteItem", batch::write, |ctx, i| {
            batch::touched_by(ctx, i.request_items.as_ref())
        })
        .worker("count", Every::secs(10), count::tick)
        .worker("index", Every::millis(200), index::tick)
        .worker("reap", Every::secs(1), reap::tick)
}
