//! The load of bench `services`: clients that each hold one connection and send one request after
//! the other, made by hand, so that the client is not what is measured.
//!
//! `client HOST:PORT CLIENTS SECONDS` prints one line of JSON. Compiled by `rustc -O` alone: the
//! standard library is all it needs.

mod http;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use http::{Connection, aws_request, cpu_seconds};

const WARM_UP: Duration = Duration::from_secs(2);
const QUEUE: &str = "bench";

fn main() -> io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [address, clients, seconds] = &args[..] else {
        eprintln!("client HOST:PORT CLIENTS SECONDS");
        std::process::exit(2);
    };
    let (clients, seconds) = (clients.parse::<usize>(), seconds.parse::<u64>());
    let (Ok(clients), Ok(seconds)) = (clients, seconds) else {
        eprintln!("clients and seconds are numbers");
        std::process::exit(2);
    };
    let queue_url = prepare(address)?;
    let (counting, ended) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let threads: Vec<_> = (0..clients)
        .map(|_| {
            let (address, queue_url) = (address.clone(), queue_url.clone());
            let (counting, ended) = (Arc::clone(&counting), Arc::clone(&ended));
            thread::spawn(move || {
                let mut client = Client::connect(&address)?;
                client.load(&queue_url, &counting, &ended)
            })
        })
        .collect();
    thread::sleep(WARM_UP);
    let (began, cpu_before) = (Instant::now(), cpu_seconds());
    counting.store(true, Ordering::Relaxed);
    thread::sleep(Duration::from_secs(seconds));
    ended.store(true, Ordering::Relaxed);
    let (elapsed, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds() - cpu_before);

    let mut times = Vec::new();
    for thread in threads {
        times.extend(thread.join().expect("a client thread panicked")?);
    }
    times.sort_unstable();
    let at = |part: f64| times.get((times.len() as f64 * part) as usize).copied().unwrap_or(0);
    println!(
        r#"{{"per_second": {:.1}, "p50_us": {}, "p99_us": {}, "client_cpu": {:.2}}}"#,
        times.len() as f64 / elapsed,
        at(0.5),
        at(0.99),
        cpu / elapsed
    );
    Ok(())
}

/// Makes the queue. Gives its URL.
fn prepare(address: &str) -> io::Result<String> {
    let mut client = Client::connect(address)?;
    let reply = client.call("CreateQueue", &format!(r#"{{"QueueName":"{QUEUE}"}}"#))?;
    field(&reply, "QueueUrl")
}

struct Client {
    connection: Connection,
    address: String,
}

impl Client {
    fn connect(address: &str) -> io::Result<Client> {
        Ok(Client { connection: Connection::open(address)?, address: address.to_owned() })
    }

    /// Works until the end. Gives the microseconds of each unit that was counted.
    fn load(
        &mut self,
        queue_url: &str,
        counting: &AtomicBool,
        ended: &AtomicBool,
    ) -> io::Result<Vec<u32>> {
        let mut times = Vec::new();
        while !ended.load(Ordering::Relaxed) {
            let began = Instant::now();
            self.send_receive_delete(queue_url)?;
            if counting.load(Ordering::Relaxed) {
                times.push(began.elapsed().as_micros() as u32);
            }
        }
        Ok(times)
    }

    /// One message in, one message (of whomever) out and gone.
    fn send_receive_delete(&mut self, queue_url: &str) -> io::Result<()> {
        let body = "x".repeat(400);
        let send = format!(r#"{{"QueueUrl":"{queue_url}","MessageBody":"{body}"}}"#);
        self.call("SendMessage", &send)?;
        let receive = format!(r#"{{"QueueUrl":"{queue_url}","WaitTimeSeconds":1}}"#);
        let reply = self.call("ReceiveMessage", &receive)?;
        let Ok(handle) = field(&reply, "ReceiptHandle") else {
            return Ok(()); // another client was faster
        };
        let delete = format!(r#"{{"QueueUrl":"{queue_url}","ReceiptHandle":"{handle}"}}"#);
        self.call("DeleteMessage", &delete)?;
        Ok(())
    }

    /// Sends one request and gives the body of a good answer.
    fn call(&mut self, name: &str, body: &str) -> io::Result<String> {
        let request = aws_request(&self.address, "sqs", &format!("AmazonSQS.{name}"), body);
        let answer = self.connection.exchange(&request)?;
        let body = String::from_utf8_lossy(answer.body).into_owned();
        if answer.status != 200 {
            return Err(io::Error::other(format!("{name}: {} {body}", answer.status)));
        }
        Ok(body)
    }
}

/// The text of a JSON member, without reading JSON: the values looked for hold no escapes.
fn field(json: &str, name: &str) -> io::Result<String> {
    let missing = || io::Error::other(format!("no {name} in {json}"));
    let (_, rest) = json.split_once(&format!("\"{name}\"")).ok_or_else(missing)?;
    rest.split('"').nth(1).map(str::to_owned).ok_or_else(missing)
}
