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
mod partiql;
mod rules;
mod source;
mod throttle;
mod value;
mod work;

use std::sync::Arc;

use delivery::Delivery;
use kit::{Api, Every, Kit, Service};
use wire::{Names, Protocol};

use crate::data::Tables;
use crate::ops::{
    account, backup, batch, expiry, item as items, policy, query, recovery, restore, statement,
    stream, table, tag, touched, transact,
};
use crate::throttle::Throttle;
use crate::work::forget::Forgets;
use crate::work::{copy, count, expire, forget, index, reap, retain, trim};

const NAMES: Names = Names {
    json_namespace: "com.amazonaws.dynamodb.v20120810#",
    crc32: true,
    long_request_ids: true,
    ..Names::PLAIN
};

/// The dynamodb service and that of its streams, and the delivery line of the tokens that the
/// first remembers for ten minutes. `throttles`: tables are held to the capacity they were given.
pub fn services(kit: &Kit, delivery: &Delivery, throttles: bool) -> [Service; 2] {
    let tokens = delivery.line(forget::LINE);
    delivery.serve(&tokens, forget::LIMITS, Arc::new(Forgets(kit.clone())));
    let tables = Arc::new(Tables::new(tokens, Throttle::new(throttles)));
    kit.streams.register("dynamodb", Arc::new(source::Changes::new(kit, &tables)));
    [tables_service(Arc::clone(&tables)), streams_service(tables)]
}

fn streams_service(tables: Arc<Tables>) -> Service {
    let api = Api {
        id: "dynamodbstreams",
        protocols: &[Protocol::Json10],
        target_prefix: "DynamoDBStreams_20120810",
        version: "",
        names: &NAMES,
    };
    Service::new(api, tables)
        .op("ListStreams", stream::list, |ctx, _| vec![ctx.arn("dynamodb", "table/*/stream/*")])
        .op("DescribeStream", stream::describe, |ctx, i| {
            stream::touched(ctx, i.stream_arn.as_ref())
        })
        .op("GetShardIterator", stream::iterator, |ctx, i| {
            stream::touched(ctx, i.stream_arn.as_ref())
        })
        .op("GetRecords", stream::records, |ctx, i| {
            stream::touched_by_iterator(ctx, i.shard_iterator.as_ref())
        })
        .worker("trim", Every::secs(60), trim::tick)
}

fn tables_service(tables: Arc<Tables>) -> Service {
    let api = Api {
        id: "dynamodb",
        protocols: &[Protocol::Json10],
        target_prefix: "DynamoDB_20120810",
        version: "",
        names: &NAMES,
    };
    let service = Service::new(api, tables)
        .op("CreateTable", table::create, |ctx, i| touched(ctx, i.table_name.as_ref()))
        .op("DescribeTable", table::describe, |ctx, i| touched(ctx, i.table_name.as_ref()))
        .op("ListTables", table::list, |ctx, _| vec![ctx.arn("dynamodb", "table/*")])
        .op("UpdateTable", table::update, |ctx, i| touched(ctx, i.table_name.as_ref()))
        .op("DeleteTable", table::delete, |ctx, i| touched(ctx, i.table_name.as_ref()))
        .op("TagResource", tag::tag, |ctx, i| touched(ctx, i.resource_arn.as_ref()))
        .op("UntagResource", tag::untag, |ctx, i| touched(ctx, i.resource_arn.as_ref()))
        .op("ListTagsOfResource", tag::list, |ctx, i| touched(ctx, i.resource_arn.as_ref()))
        .worker("count", Every::secs(10), count::tick)
        .worker("index", Every::millis(200), index::tick)
        .worker("copy", Every::secs(1), copy::tick)
        .worker("retain", Every::secs(60), retain::tick)
        .worker("expire", Every::secs(10), expire::tick)
        .worker("reap", Every::secs(1), reap::tick);
    with_properties(with_items(service))
}

/// Adds the operations on items.
fn with_items(service: Service) -> Service {
    service
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
        .op("TransactWriteItems", transact::write::write, transact::write::touched_by)
        .op("TransactGetItems", transact::get::get, transact::get::touched_by)
        .op("ExecuteStatement", statement::execute::execute, statement::execute::touched_by)
        .op("BatchExecuteStatement", statement::batch::execute, statement::batch::touched_by)
        .op(
            "ExecuteTransaction",
            statement::transaction::execute,
            statement::transaction::touched_by,
        )
}

/// Adds the operations on what tables have besides items.
fn with_properties(service: Service) -> Service {
    service
        .op("UpdateTimeToLive", expiry::update, |ctx, i| touched(ctx, i.table_name.as_ref()))
        .op("DescribeTimeToLive", expiry::describe, |ctx, i| touched(ctx, i.table_name.as_ref()))
        .op("PutResourcePolicy", policy::put, |ctx, i| touched(ctx, i.resource_arn.as_ref()))
        .op("GetResourcePolicy", policy::get, |ctx, i| touched(ctx, i.resource_arn.as_ref()))
        .op("DeleteResourcePolicy", policy::delete, |ctx, i| touched(ctx, i.resource_arn.as_ref()))
        .op("DescribeLimits", account::limits, |ctx, _| vec![ctx.arn("dynamodb", "*")])
        .op("DescribeEndpoints", account::endpoints, |ctx, _| vec![ctx.arn("dynamodb", "*")])
        .op("DescribeContributorInsights", account::describe_insights, |ctx, i| {
            touched(ctx, i.table_name.as_ref())
        })
        .op("UpdateContributorInsights", account::update_insights, |ctx, i| {
            touched(ctx, i.table_name.as_ref())
        })
        .op("ListContributorInsights", account::list_insights, |ctx, _| {
            vec![ctx.arn("dynamodb", "table/*")]
        })
        .op("DescribeKinesisStreamingDestination", account::describe_kinesis, |ctx, i| {
            touched(ctx, i.table_name.as_ref())
        })
        .op("CreateBackup", backup::create, |ctx, i| touched(ctx, i.table_name.as_ref()))
        .op("DescribeBackup", backup::describe, |ctx, i| touched(ctx, i.backup_arn.as_ref()))
        .op("ListBackups", backup::list, |ctx, _| vec![ctx.arn("dynamodb", "table/*")])
        .op("DeleteBackup", backup::delete, |ctx, i| touched(ctx, i.backup_arn.as_ref()))
        .op("RestoreTableFromBackup", restore::from_backup, |ctx, i| {
            let tables = touched(ctx, i.target_table_name.as_ref());
            tables.into_iter().chain(touched(ctx, i.backup_arn.as_ref())).collect()
        })
        .op("UpdateContinuousBackups", recovery::update, |ctx, i| {
            touched(ctx, i.table_name.as_ref())
        })
        .op("DescribeContinuousBackups", recovery::describe, |ctx, i| {
            touched(ctx, i.table_name.as_ref())
        })
        .op("RestoreTableToPointInTime", restore::to_point_in_time, |ctx, i| {
            let source = i.source_table_arn.as_ref().or(i.source_table_name.as_ref());
            let tables = touched(ctx, i.target_table_name.as_ref());
            tables.into_iter().chain(touched(ctx, source)).collect()
        })
}
