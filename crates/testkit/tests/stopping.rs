//! A server that ends while clients are connected.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use base::{SystemClock, VirtualClock};
use http::StatusCode;
use serde_json::{Value, json};
use testkit::Machine;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Longer than anything here takes in real time.
const LONG: Duration = Duration::from_secs(30);
/// A response of so many items is more than the buffers of a connection hold.
const ITEMS: usize = 30;
const ITEM_BYTES: usize = 350_000;

/// A table with large items.
async fn machine(seed: u64) -> Machine {
    let machine = Machine::start(seed).await;
    let table = json!({
        "TableName": "large", "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{ "AttributeName": "id", "AttributeType": "S" }],
        "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }],
    });
    call(&machine, "CreateTable", &table).await;
    for at in 0..ITEMS {
        let text = "x".repeat(ITEM_BYTES);
        let item = json!({ "id": { "S": format!("{at}") }, "text": { "S": text } });
        call(&machine, "PutItem", &json!({ "TableName": "large", "Item": item })).await;
    }
    machine
}

async fn call(machine: &Machine, operation: &str, input: &Value) {
    let answer = machine.json(&format!("DynamoDB_20120810.{operation}"), input).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
}

async fn connect(machine: &Machine) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    socket.connect(machine.server.address()).await.unwrap()
}

/// A request for all items.
fn request() -> String {
    let keys: Vec<_> = (0..ITEMS).map(|at| json!({ "id": { "S": format!("{at}") } })).collect();
    let body = json!({ "RequestItems": { "large": { "Keys": keys } } }).to_string();
    format!(
        "POST / HTTP/1.1\r\nhost: localhost\r\nx-amz-target: DynamoDB_20120810.BatchGetItem\r\n\
         content-type: application/x-amz-json-1.0\r\nx-amz-date: 20260101T000000Z\r\n\
         authorization: {}\r\ncontent-length: {}\r\n\r\n{body}",
        testkit::ANY_SIGNATURE,
        body.len(),
    )
}

/// Reads nothing of a response that has begun.
async fn ask_without_reading(machine: &Machine) -> TcpStream {
    let mut client = connect(machine).await;
    client.write_all(request().as_bytes()).await.unwrap();
    client.readable().await.unwrap();
    client
}

/// Lets real time pass, in which others do their work.
async fn pause(millis: u64) {
    base::sleep(&SystemClock::new(), Duration::from_millis(millis)).await;
}

/// Begins to stop, which someone holds up.
async fn stop(machine: Machine) -> (Arc<VirtualClock>, JoinHandle<()>) {
    let clock = Arc::clone(&machine.clock);
    let mut stopping = base::task::spawn("stop", machine.stop());
    let stopped = timeout(Duration::from_millis(300), &mut stopping).await;
    assert!(stopped.is_err(), "nobody holds it up: this test shows nothing");
    (clock, stopping)
}

/// A second passes again and again, until the server has ended: the seconds it took.
async fn seconds_until(stopping: JoinHandle<()>, clock: &VirtualClock) -> usize {
    let mut seconds = 0;
    let passing = async {
        while !stopping.is_finished() {
            clock.advance(Duration::from_secs(1));
            seconds += 1;
            pause(50).await;
        }
    };
    timeout(LONG, passing).await.expect("the server ends");
    seconds
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_holds_a_stop_up_for_ten_seconds() {
    let machine = machine(1).await;
    let _client = ask_without_reading(&machine).await;
    let (clock, stopping) = stop(machine).await;
    let seconds = seconds_until(stopping, &clock).await;
    assert!((10..15).contains(&seconds), "{seconds}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_late_gets_its_whole_response() {
    let machine = machine(2).await;
    let mut client = ask_without_reading(&machine).await;
    let (clock, stopping) = stop(machine).await;
    clock.advance(Duration::from_secs(9));
    let mut read = Vec::new();
    client.read_to_end(&mut read).await.unwrap();
    let content = read.iter().filter(|byte| **byte == b'x').count();
    assert!(content >= ITEMS * ITEM_BYTES, "{content}");
    timeout(LONG, stopping).await.expect("the server ends").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_send_its_request_holds_a_stop_up_for_ten_seconds() {
    let machine = machine(3).await;
    let mut client = connect(&machine).await;
    let request = request();
    client.write_all(&request.as_bytes()[..request.len() - 1]).await.unwrap();
    pause(300).await;
    let (clock, stopping) = stop(machine).await;
    let seconds = seconds_until(stopping, &clock).await;
    assert!((10..15).contains(&seconds), "{seconds}");
}
