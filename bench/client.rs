//! The load of bench `services`: clients that each hold one connection and send one request after
//! the other, made by hand, so that the client is not what is measured.
//!
//! `client HOST:PORT sqs|put|get CLIENTS SECONDS` prints one line of JSON. Compiled by `rustc -O`
//! alone: the standard library is all it needs.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const WARM_UP: Duration = Duration::from_secs(2);
const QUEUE: &str = "bench";
const TABLE: &str = "bench";
const ITEMS: usize = 1000;

fn main() -> io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [address, mode, clients, seconds] = &args[..] else {
        eprintln!("client HOST:PORT sqs|put|get CLIENTS SECONDS");
        std::process::exit(2);
    };
    let (clients, seconds) = (clients.parse::<usize>(), seconds.parse::<u64>());
    let (Ok(clients), Ok(seconds)) = (clients, seconds) else {
        eprintln!("clients and seconds are numbers");
        std::process::exit(2);
    };
    let queue_url = prepare(address, mode)?;
    let (counting, ended) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let threads: Vec<_> = (0..clients)
        .map(|number| {
            let (address, mode, queue_url) = (address.clone(), mode.clone(), queue_url.clone());
            let (counting, ended) = (Arc::clone(&counting), Arc::clone(&ended));
            thread::spawn(move || {
                let mut client = Client::connect(&address)?;
                client.load(number, &mode, &queue_url, &counting, &ended)
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

/// Makes the queue or the table. Gives the queue's URL.
fn prepare(address: &str, mode: &str) -> io::Result<String> {
    let mut client = Client::connect(address)?;
    if mode == "sqs" {
        let reply = client.call(Op::Sqs("CreateQueue"), &format!(r#"{{"QueueName":"{QUEUE}"}}"#))?;
        return field(&reply, "QueueUrl");
    }
    let table = format!(
        r#"{{"TableName":"{TABLE}","BillingMode":"PAY_PER_REQUEST",
        "AttributeDefinitions":[{{"AttributeName":"id","AttributeType":"S"}}],
        "KeySchema":[{{"AttributeName":"id","KeyType":"HASH"}}]}}"#
    );
    // From the second run on it is there already.
    let _exists = client.call(Op::Dynamo("CreateTable"), &table);
    let mut client = Client::connect(address)?;
    for number in 0..ITEMS {
        client.call(Op::Dynamo("PutItem"), &put(number))?;
    }
    Ok(String::new())
}

fn put(number: usize) -> String {
    let note = "x".repeat(400);
    let id = number % ITEMS;
    format!(
        r#"{{"TableName":"{TABLE}","Item":{{"id":{{"S":"item-{id}"}},"n":{{"N":"{number}"}},
        "note":{{"S":"{note}"}}}}}}"#
    )
}

/// Which operation, by the service that has it.
#[derive(Clone, Copy)]
enum Op {
    Sqs(&'static str),
    Dynamo(&'static str),
}

struct Client {
    reader: BufReader<TcpStream>,
    writer: TcpStream,
    address: String,
}

impl Client {
    fn connect(address: &str) -> io::Result<Client> {
        let writer = TcpStream::connect(address)?;
        writer.set_nodelay(true)?;
        let reader = BufReader::new(writer.try_clone()?);
        Ok(Client { reader, writer, address: address.to_owned() })
    }

    /// Works until the end. Gives the microseconds of each unit that was counted.
    fn load(
        &mut self,
        number: usize,
        mode: &str,
        queue_url: &str,
        counting: &AtomicBool,
        ended: &AtomicBool,
    ) -> io::Result<Vec<u32>> {
        let mut times = Vec::new();
        let mut turn = number * 7919;
        while !ended.load(Ordering::Relaxed) {
            let began = Instant::now();
            turn += 1;
            match mode {
                "sqs" => self.send_receive_delete(queue_url)?,
                "put" => drop(self.call(Op::Dynamo("PutItem"), &put(turn))?),
                "get" => {
                    let key = format!(
                        r#"{{"TableName":"{TABLE}","Key":{{"id":{{"S":"item-{}"}}}}}}"#,
                        turn % ITEMS
                    );
                    let reply = self.call(Op::Dynamo("GetItem"), &key)?;
                    field(&reply, "note")?;
                }
                _ => return Err(io::Error::other(format!("no mode {mode}"))),
            }
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
        self.call(Op::Sqs("SendMessage"), &send)?;
        let receive = format!(r#"{{"QueueUrl":"{queue_url}","WaitTimeSeconds":1}}"#);
        let reply = self.call(Op::Sqs("ReceiveMessage"), &receive)?;
        let Ok(handle) = field(&reply, "ReceiptHandle") else {
            return Ok(()); // another client was faster
        };
        let delete = format!(r#"{{"QueueUrl":"{queue_url}","ReceiptHandle":"{handle}"}}"#);
        self.call(Op::Sqs("DeleteMessage"), &delete)?;
        Ok(())
    }

    /// Sends one request and gives the body of a good answer.
    fn call(&mut self, op: Op, body: &str) -> io::Result<String> {
        let (service, target, name) = match op {
            Op::Sqs(name) => ("sqs", "AmazonSQS", name),
            Op::Dynamo(name) => ("dynamodb", "DynamoDB_20120810", name),
        };
        let request = format!(
            "POST / HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-amz-json-1.0\r\n\
             X-Amz-Target: {target}.{name}\r\nX-Amz-Date: 20260101T000000Z\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/\
             aws4_request, SignedHeaders=host;x-amz-date, Signature={:064}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.address,
            0,
            body.len()
        );
        self.writer.write_all(request.as_bytes())?;
        let (status, body, close) = self.answer()?;
        if close {
            *self = Client::connect(&self.address)?;
        }
        if status != 200 {
            return Err(io::Error::other(format!("{name}: {status} {body}")));
        }
        Ok(body)
    }

    fn answer(&mut self) -> io::Result<(u16, String, bool)> {
        let mut line = String::new();
        self.reader.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        let (mut length, mut chunked, mut close) = (0, false, line.starts_with("HTTP/1.0"));
        loop {
            line.clear();
            self.reader.read_line(&mut line)?;
            let header = line.trim_end().to_ascii_lowercase();
            match header.split_once(':').map(|(name, value)| (name, value.trim())) {
                Some(("content-length", value)) => length = value.parse().unwrap_or(0),
                Some(("transfer-encoding", value)) => chunked = value == "chunked",
                Some(("connection", value)) => close |= value == "close",
                Some(_) => {}
                None => break,
            }
        }
        let mut body = Vec::new();
        if chunked {
            self.chunks(&mut body)?;
        } else {
            body.resize(length, 0);
            self.reader.read_exact(&mut body)?;
        }
        Ok((status, String::from_utf8_lossy(&body).into_owned(), close))
    }

    fn chunks(&mut self, body: &mut Vec<u8>) -> io::Result<()> {
        loop {
            let mut line = String::new();
            self.reader.read_line(&mut line)?;
            let size = usize::from_str_radix(line.trim_end(), 16).map_err(io::Error::other)?;
            let start = body.len();
            body.resize(start + size + 2, 0);
            self.reader.read_exact(&mut body[start..])?;
            body.truncate(start + size);
            if size == 0 {
                return Ok(());
            }
        }
    }
}

/// The text of a JSON member, without reading JSON: the values looked for hold no escapes.
fn field(json: &str, name: &str) -> io::Result<String> {
    let missing = || io::Error::other(format!("no {name} in {json}"));
    let (_, rest) = json.split_once(&format!("\"{name}\"")).ok_or_else(missing)?;
    rest.split('"').nth(1).map(str::to_owned).ok_or_else(missing)
}

/// CPU seconds of this process so far: fields 14 and 15 of its stat, in ticks of 10 ms.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = |at: usize| after_name.split_whitespace().nth(at)?.parse::<f64>().ok();
    (ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0)) / 100.0
}
