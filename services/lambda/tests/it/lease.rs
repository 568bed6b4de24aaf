//! What a mapping asks of the terms of its queue.

use kit::sources::Terms;
use serde_json::json;

use crate::SECOND;
use crate::machine::{Machine, QUEUE};

#[tokio::test]
async fn a_queue_that_leases_for_less_than_the_function_s_timeout_is_refused() {
    let m = &Machine::new().await;
    m.function("pay", json!({ "Timeout": 31 })).await;
    let input = json!({ "FunctionName": "pay", "EventSourceArn": QUEUE });
    let text = "InvalidParameterValueException: Queue visibility timeout: 30 seconds is less than \
                Function timeout: 31 seconds";
    let create = async || m.call("CreateEventSourceMapping", input.clone()).await;
    assert_eq!(create().await.unwrap_err(), text);
    *m.queue.terms.lock().unwrap() = Terms { lease: SECOND * 31, receives_max: Some(3) };
    let uuid = create().await.unwrap()["UUID"].clone();

    // Nor can it be changed while that is so, but to stop it.
    *m.queue.terms.lock().unwrap() = Terms { lease: SECOND * 30, receives_max: None };
    let change = json!({ "UUID": uuid, "BatchSize": 1 });
    assert_eq!(m.call("UpdateEventSourceMapping", change).await.unwrap_err(), text);
    let stop = json!({ "UUID": uuid, "Enabled": false });
    m.call("UpdateEventSourceMapping", stop).await.unwrap();
}
