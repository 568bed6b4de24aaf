//! FIFO queues after a start whose clock says another time.

use std::sync::Arc;

use base::{Clock as _, Time, VirtualClock};
use serde_json::json;

use super::{fifo, receive, send};
use crate::Server;

#[tokio::test]
async fn order_and_messages_outlast_a_start_with_an_earlier_clock() {
    let mut server = Server::start().await;
    let policy = json!({ "deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead.fifo",
                         "maxReceiveCount": 1 });
    let dead = fifo(&server, "dead.fifo", json!({})).await;
    let url = fifo(&server, "q.fifo", json!({ "RedrivePolicy": policy.to_string() })).await;
    let began = server.clock.now();
    let mut numbers = Vec::new();
    for at in 0..20 {
        for group in ["a", "b"] {
            let sent = send(&server, &url, group, &format!("{group}{at:02}")).await;
            numbers.push(sent["SequenceNumber"].as_str().unwrap().to_owned());
        }
        send(&server, &dead, "a", &format!("dead{at:02}")).await;
    }
    // Back to the very moment, whose numbers are given again, and to an earlier one.
    for (hour, back) in [(0, 0), (1, 3_600_000)] {
        let clock = VirtualClock::new(Time::from_millis(began.as_millis() - back));
        server = server.restart_by(Arc::new(clock)).await;
        for at in 20 + hour * 10..30 + hour * 10 {
            for group in ["a", "b"] {
                let sent = send(&server, &url, group, &format!("{group}{at:02}")).await;
                numbers.push(sent["SequenceNumber"].as_str().unwrap().to_owned());
            }
        }
    }
    for group in 0..2 {
        let of_group: Vec<&String> = numbers.iter().skip(group).step_by(2).collect();
        assert!(of_group.is_sorted_by(|a, b| a < b), "{of_group:?}");
    }
    let mut taken = Vec::new();
    loop {
        let some = receive(&server, &url, 10).await;
        taken.extend(some.iter().map(|one| one["Body"].as_str().unwrap().to_owned()));
        let mut some = some.iter();
        // One goes to the dead letters, behind what is there.
        if taken.len() == 10 {
            some.next();
        }
        for message in some {
            server.delete(&url, message).await;
        }
        if taken.len() >= 80 {
            break;
        }
        server.pass(31).await;
    }
    for group in ["a", "b"] {
        let mut of_group: Vec<&String> =
            taken.iter().filter(|body| body.starts_with(group)).collect();
        of_group.dedup();
        let all: Vec<String> = (0..40).map(|at| format!("{group}{at:02}")).collect();
        assert_eq!(of_group, all.iter().collect::<Vec<_>>());
    }
    let mut letters = Vec::new();
    for _ in 0..3 {
        for message in receive(&server, &dead, 10).await {
            letters.push(message["Body"].as_str().unwrap().to_owned());
            server.delete(&dead, &message).await;
        }
    }
    assert_eq!(letters.len(), 21);
    assert_eq!(letters[20], "a00");
}
