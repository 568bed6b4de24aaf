use std::sync::Arc;
use std::time::Duration;

use engine_memory::Memory;
use serde_json::{Value, json};

use crate::{DAY, HOUR, MINUTE, Machine, START, settle};

/// What was sent: minutes after the start and target, as text.
fn check(machine: &Machine, expected: &[(u64, &str)]) {
    let expected: Vec<(u64, String)> =
        expected.iter().map(|(minute, to)| (*minute, (*to).to_owned())).collect();
    assert_eq!(machine.taken(), expected);
}

const DAY_MINUTES: u64 = 24 * 60;

#[tokio::test]
async fn a_rate_fires_on_its_grid_for_weeks() {
    let m = &Machine::new().await;
    m.rule("daily", "rate(1 day)", &["report"]).await;
    m.pass(DAY - MINUTE).await;
    check(m, &[]);
    m.pass(MINUTE).await;
    check(m, &[(DAY_MINUTES, "report")]);
    m.pass(DAY * 27).await;
    let days: Vec<(u64, &str)> = (2..=28).map(|day| (day * DAY_MINUTES, "report")).collect();
    check(m, &days);
}

#[tokio::test]
async fn cron_fires_at_civil_times_for_weeks() {
    let m = &Machine::new().await;
    // Weekdays at 09:30; the start is a Sunday, midnight.
    m.rule("work", "cron(30 9 ? * MON-FRI *)", &["report"]).await;
    m.pass(DAY * 14).await;
    let at = |day: u64| (day * DAY_MINUTES + 9 * 60 + 30, "report");
    let days: Vec<(u64, &str)> = [1, 2, 3, 4, 5, 8, 9, 10, 11, 12].map(at).to_vec();
    check(m, &days);
}

#[tokio::test]
async fn a_firing_reaches_every_target_with_its_own_input() {
    let m = &Machine::new().await;
    m.rule("r", "rate(1 hour)", &["a"]).await;
    let queue = "arn:aws:sqs:us-east-1:000000000000:function:q.fifo";
    let sqs = json!({ "MessageGroupId": "g" });
    let target = json!({ "Id": "q", "Arn": queue, "Input": "{\"n\":1}", "SqsParameters": sqs });
    m.call("PutTargets", json!({ "Rule": "r", "Targets": [target] })).await;
    m.pass(HOUR).await;
    let sent = std::mem::take(&mut *m.sent.events.lock().unwrap());
    let [(_, function), (_, queue)] = &sent[..] else { panic!("{sent:?}") };
    let event: Value = serde_json::from_str(&function.body).unwrap();
    assert_eq!(event["detail-type"], "Scheduled Event");
    assert_eq!(event["time"], "2026-11-01T01:00:00Z");
    assert_eq!(event["resources"], json!(["arn:aws:events:us-east-1:000000000000:rule/r"]));
    assert_eq!(function.from.to_string(), "arn:aws:events:us-east-1:000000000000:rule/r");
    assert_eq!(function.group_id, None);
    assert_eq!(queue.body, "{\"n\":1}");
    assert_eq!(queue.group_id.as_deref(), Some("g"));
    assert_eq!(queue.deduplication_id.as_deref(), event["id"].as_str());
}

#[tokio::test]
async fn a_disabled_deleted_or_changed_rule_does_not_fire_as_before() {
    let m = &Machine::new().await;
    for name in ["off", "changed", "same"] {
        m.rule(name, "rate(2 hours)", &[name]).await;
    }
    m.rule("deleted", "rate(2 hours)", &[]).await;
    m.pass(HOUR).await;
    m.call("DisableRule", json!({ "Name": "off" })).await;
    m.call("DeleteRule", json!({ "Name": "deleted" })).await;
    m.rule("changed", "rate(3 hours)", &["changed"]).await;
    // A redeployment that changes nothing does not move the grid.
    m.rule("same", "rate(2 hours)", &["same"]).await;
    m.pass(HOUR * 4).await;
    check(m, &[(120, "same"), (240, "changed"), (240, "same")]);
    // Enabled again it counts from now.
    m.call("EnableRule", json!({ "Name": "off" })).await;
    m.call("DisableRule", json!({ "Name": "changed" })).await;
    m.call("DisableRule", json!({ "Name": "same" })).await;
    m.pass(HOUR * 3).await;
    check(m, &[(420, "off")]);
}

#[tokio::test]
async fn misses_of_a_downtime_fire_once_and_the_grid_goes_on() {
    let engine = Arc::new(Memory::new());
    let before = Machine::on(Arc::clone(&engine) as _, START).await;
    before.rule("hourly", "rate(1 hour)", &["f"]).await;
    before.rule("noon", "cron(0 12 * * ? *)", &["g"]).await;
    before.pass(HOUR * 2).await;
    check(&before, &[(60, "f"), (120, "f")]);
    before.kit.close();
    settle().await;

    // Down for three days, less half an hour.
    let back = START + DAY * 3 + MINUTE * 30;
    let after = Machine::on(engine, back).await;
    settle().await;
    let (now, half) = (3 * DAY_MINUTES + 30, 3 * DAY_MINUTES);
    check(&after, &[(now, "f"), (now, "g")]);
    after.pass(HOUR).await;
    check(&after, &[(half + 60, "f")]);
    after.pass(Duration::from_secs(11 * 60 * 60)).await;
    let mut taken = after.taken();
    taken.retain(|(_, to)| to == "g");
    assert_eq!(taken, [(half + 12 * 60, "g".to_owned())]);
}

#[tokio::test]
async fn a_target_that_is_gone_misses_and_one_that_is_broken_is_tried_again() {
    let m = &Machine::new().await;
    m.rule("r", "rate(1 hour)", &["gone", "there"]).await;
    let fault = kit::Error::new("ResourceNotFoundException", 404, "gone");
    *m.sent.fault.lock().unwrap() = Some(fault);
    m.pass(HOUR).await;
    check(m, &[(60, "there")]);
    *m.sent.fault.lock().unwrap() = Some(kit::Error::not_served("such a target"));
    m.pass(HOUR).await;
    check(m, &[(120, "there")]);
    // A failure of ours undoes the firing as a whole, which then comes a second later.
    *m.sent.fault.lock().unwrap() = Some(kit::Error::internal("broken"));
    m.pass(HOUR).await;
    check(m, &[]);
    *m.sent.fault.lock().unwrap() = None;
    m.pass(Duration::from_secs(1)).await;
    check(m, &[(180, "gone"), (180, "there")]);
    m.pass(HOUR - Duration::from_secs(1)).await;
    check(m, &[(240, "gone"), (240, "there")]);
}
