//! EventBridge, as far as schedules need it: rules with a rate or cron expression, and their
//! targets. A firing is due work in the delivery line `events.schedule`.

mod api;
mod data;
mod error;
mod ops;
mod rules;
mod work;

use delivery::{Delivery, Limits, Line};
use kit::{Api, Kit, Service};
use wire::{Names, Protocol};

use crate::ops::{rule, target};
use crate::work::fire;

/// What the operations share.
pub(crate) struct Schedules {
    pub(crate) line: Line,
}

/// The events service.
pub fn service(kit: &Kit, delivery: &Delivery) -> Service {
    let line = delivery.line("events.schedule");
    delivery.serve(&line, Limits { batch_max: 16, concurrent_max: 4 }, fire::handler(kit, &line));
    let api = Api {
        id: "events",
        protocols: &[Protocol::Json11],
        target_prefix: "AWSEvents",
        version: "",
        names: &Names::PLAIN,
    };
    Service::new(api, Schedules { line })
        .op("PutRule", rule::put, |ctx, input| rule::touched(ctx, &input.name))
        .op("DescribeRule", rule::describe, |ctx, input| rule::touched(ctx, &input.name))
        .op("ListRules", rule::list, |ctx, _| rule::touched(ctx, "*"))
        .op("EnableRule", rule::enable, |ctx, input| rule::touched(ctx, &input.name))
        .op("DisableRule", rule::disable, |ctx, input| rule::touched(ctx, &input.name))
        .op("DeleteRule", rule::delete, |ctx, input| rule::touched(ctx, &input.name))
        .op("PutTargets", target::put, |ctx, input| rule::touched(ctx, &input.rule))
        .op("RemoveTargets", target::remove, |ctx, input| rule::touched(ctx, &input.rule))
        .op("ListTargetsByRule", target::list, |ctx, input| rule::touched(ctx, &input.rule))
}
