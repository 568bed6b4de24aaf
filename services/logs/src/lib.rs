//! What functions write, as CloudWatch Logs serves it. The lines are [`telemetry`]'s.

mod api;
mod error;
mod ops;
mod rules;

use base::Arn;
use kit::{Api, Ctx, Kit, Service};
use telemetry::LogStore;
use wire::Protocol;

use crate::ops::{event, group, stream};

const API: Api = Api {
    id: "logs",
    protocols: &[Protocol::Json11],
    target_prefix: "Logs_20140328",
    version: "",
    names: &wire::Names::PLAIN,
};

/// The logs service on the lines given.
pub fn service(_: &Kit, logs: LogStore) -> Service {
    Service::new(API, logs)
        .op("CreateLogGroup", group::create, |ctx, input: &api::CreateLogGroupInput| {
            named(ctx, [&input.log_group_name])
        })
        .op("DeleteLogGroup", group::delete, |ctx, input: &api::DeleteLogGroupInput| {
            named(ctx, [&input.log_group_name])
        })
        .op("DescribeLogGroups", group::describe, |_, _: &api::DescribeLogGroupsInput| vec![])
        .op("CreateLogStream", stream::create, |ctx, input: &api::CreateLogStreamInput| {
            named(ctx, [&input.log_group_name])
        })
        .op("DescribeLogStreams", stream::describe, |ctx, input| {
            let input: &api::DescribeLogStreamsInput = input;
            named(ctx, [&input.log_group_name, &input.log_group_identifier])
        })
        .op("GetLogEvents", event::get, |ctx, input: &api::GetLogEventsInput| {
            named(ctx, [&input.log_group_name, &input.log_group_identifier])
        })
        .op("FilterLogEvents", event::filter, |ctx, input: &api::FilterLogEventsInput| {
            named(ctx, [&input.log_group_name, &input.log_group_identifier])
        })
}

/// The group a request names, by name or by ARN. None if it names none: that fails in the
/// operation.
fn named<const N: usize>(ctx: &Ctx, names: [&Option<String>; N]) -> Vec<Arn> {
    let given = names.into_iter().flatten().next();
    given.map(|name| group::arn(ctx, rules::name::of_identifier(name))).into_iter().collect()
}
