//! The load of the benches `tables` and `growth`: clients that each hold one connection and send one
//! request after the other, made in advance but for the key, so that the client is not what is
//! measured.
//!
//!     tables HOST:PORT fill FROM TO                      makes the table and writes these items
//!     tables HOST:PORT OPERATION CLIENTS SECONDS ITEMS   prints one line of JSON
//!
//! Operations are `get`, `put`, `update`, `query` and `transact`. A server that does not know one is
//! told by `{"unknown": true}`. Item `n` is number `n % 100` of partition `n / 100` and has about
//! 200 bytes. Compiled by `rustc -O` alone: the standard library is all it needs.

mod http;

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use http::{Connection, aws_request, cpu_seconds, find};

const TABLE: &str = "bench";
const PARTITION_ITEMS: usize = 100;
const TRANSACT_ITEMS: usize = 10;
/// How far apart the items of one transaction are: in partitions of their own.
const TRANSACT_STEP: usize = 7 * PARTITION_ITEMS + 1;
const BATCH_ITEMS: usize = 25;
const FILLERS: usize = 8;
const FILL_PAUSE: Duration = Duration::from_millis(50);
const WARM_UP: Duration = Duration::from_millis(500);
const NOTE_BYTES: usize = 140;
/// As wide as the digits that take their place.
const PARTITION: &str = "PPPPPPPP";
const SORT: &str = "SS";

fn main() -> io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| args.get(at).and_then(|text| text.parse::<usize>().ok());
    match (args.len(), number(2), number(3), number(4)) {
        (4, Some(from), Some(to), None) if args[1] == "fill" => fill(&args[0], from, to),
        (5, Some(clients), Some(seconds), Some(items)) => {
            load(&args[0], &args[1], clients, Duration::from_secs(seconds as u64), items)
        }
        _ => {
            eprintln!("tables HOST:PORT fill FROM TO | OPERATION CLIENTS SECONDS ITEMS");
            std::process::exit(2);
        }
    }
}

/// A request whose keys are filled in for each sending.
struct Template {
    bytes: Vec<u8>,
    /// Where the digits of a partition, and those of a sort key behind it, belong.
    keys: Vec<(usize, usize)>,
}

impl Template {
    fn new(address: &str, operation: &str, body: &str) -> Template {
        let target = format!("DynamoDB_20120810.{operation}");
        let bytes = aws_request(address, "dynamodb", &target, body);
        let places = |mark: &str| {
            let mut at = 0;
            let mut found = Vec::new();
            while let Some(next) = find(&bytes[at..], mark.as_bytes()) {
                found.push(at + next);
                at += next + mark.len();
            }
            found
        };
        let partitions = places(PARTITION);
        // A query has no sort key.
        let mut sorts = places(&format!("s{SORT}")).into_iter().map(|at| at + 1);
        let keys = partitions.iter().map(|at| (*at, sorts.next().unwrap_or(0))).collect();
        Template { bytes, keys }
    }

    /// Puts in the keys of items from this one on, so far apart.
    fn fill(&mut self, first: usize, step: usize, items: usize) -> &[u8] {
        for (turn, (partition, sort)) in self.keys.iter().enumerate() {
            let item = (first + turn * step) % items;
            put_digits(&mut self.bytes[*partition..], item / PARTITION_ITEMS, PARTITION.len());
            if *sort > 0 {
                put_digits(&mut self.bytes[*sort..], item % PARTITION_ITEMS, SORT.len());
            }
        }
        &self.bytes
    }
}

fn put_digits(place: &mut [u8], mut number: usize, width: usize) {
    for at in (0..width).rev() {
        place[at] = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

fn key() -> String {
    format!(r#""pk":{{"S":"p{PARTITION}"}},"sk":{{"S":"s{SORT}"}}"#)
}

fn item() -> String {
    let note = "x".repeat(NOTE_BYTES);
    format!(r#"{{{},"hits":{{"N":"1"}},"state":{{"S":"open"}},"note":{{"S":"{note}"}}}}"#, key())
}

/// The operation's name, its body, and the least bytes of a good answer.
fn request(operation: &str) -> Option<(&'static str, String, usize)> {
    let (item, key) = (item(), key());
    Some(match operation {
        "get" => {
            let body = format!(r#"{{"TableName":"{TABLE}","Key":{{{key}}}}}"#);
            ("GetItem", body, NOTE_BYTES)
        }
        "put" => ("PutItem", format!(r#"{{"TableName":"{TABLE}","Item":{item}}}"#), 2),
        "update" => {
            let body = format!(
                r##"{{"TableName":"{TABLE}","Key":{{{key}}},
                "UpdateExpression":"SET hits = hits + :one, #state = :open",
                "ConditionExpression":"attribute_exists(pk) AND hits >= :one",
                "ExpressionAttributeNames":{{"#state":"state"}},
                "ExpressionAttributeValues":{{":one":{{"N":"1"}},":open":{{"S":"open"}}}}}}"##
            );
            ("UpdateItem", body, 2)
        }
        "query" => {
            let body = format!(
                r#"{{"TableName":"{TABLE}","KeyConditionExpression":"pk = :pk",
                "ExpressionAttributeValues":{{":pk":{{"S":"p{PARTITION}"}}}}}}"#
            );
            ("Query", body, PARTITION_ITEMS * NOTE_BYTES)
        }
        "transact" => {
            let put = format!(r#"{{"Put":{{"TableName":"{TABLE}","Item":{item}}}}}"#);
            let puts = vec![put; TRANSACT_ITEMS].join(",");
            ("TransactWriteItems", format!(r#"{{"TransactItems":[{puts}]}}"#), 2)
        }
        _ => return None,
    })
}

fn load(
    address: &str,
    operation: &str,
    clients: usize,
    seconds: Duration,
    items: usize,
) -> io::Result<()> {
    let (name, body, least) = request(operation).ok_or_else(|| io::Error::other("no operation"))?;
    let step = TRANSACT_STEP;
    if !knows(address, name, &body, items)? {
        println!(r#"{{"unknown": true}}"#);
        return Ok(());
    }
    let (counting, ended) = (AtomicBool::new(false), AtomicBool::new(false));
    let work = |number: usize| -> io::Result<(Vec<u64>, usize)> {
        let mut connection = Connection::open(address)?;
        let mut template = Template::new(address, name, &body);
        let (mut times, mut all, mut chance) = (Vec::new(), 0, Chance::of(number));
        while !ended.load(Ordering::Relaxed) {
            let request = template.fill(chance.next() as usize % items, step, items);
            let began = Instant::now();
            let answer = connection.exchange(request)?;
            let took = began.elapsed();
            if answer.status != 200 || answer.body.len() < least {
                return Err(failure(name, answer.status, answer.body));
            }
            all += 1;
            if counting.load(Ordering::Relaxed) {
                times.push(took.as_nanos() as u64);
            }
        }
        Ok((times, all))
    };
    let (mut times, all, elapsed, cpu) = thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> =
            (0..clients).map(|number| scope.spawn(move || work(number))).collect();
        thread::sleep(WARM_UP);
        let (began, cpu_before) = (Instant::now(), cpu_seconds());
        counting.store(true, Ordering::Relaxed);
        thread::sleep(seconds);
        ended.store(true, Ordering::Relaxed);
        let (elapsed, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds() - cpu_before);
        let (mut times, mut all) = (Vec::new(), 0);
        for thread in threads {
            let (more, count) = thread.join().expect("a client thread panicked")?;
            times.extend(more);
            all += count;
        }
        Ok::<_, io::Error>((times, all, elapsed, cpu))
    })?;
    times.sort_unstable();
    let at = |part: f64| times.get((times.len() as f64 * part) as usize).copied().unwrap_or(0);
    println!(
        r#"{{"per_second": {:.1}, "p50_us": {:.1}, "p99_us": {:.1}, "client_cpu": {:.2}, {rest}}}"#,
        times.len() as f64 / elapsed,
        at(0.5) as f64 / 1000.0,
        at(0.99) as f64 / 1000.0,
        cpu / elapsed,
        rest = format_args!(r#""all": {all}"#),
    );
    Ok(())
}

/// Tries the operation once.
fn knows(address: &str, name: &str, body: &str, items: usize) -> io::Result<bool> {
    let mut template = Template::new(address, name, body);
    let mut connection = Connection::open(address)?;
    let answer = connection.exchange(template.fill(0, TRANSACT_STEP, items))?;
    match answer.status {
        200 => Ok(true),
        _ if find(answer.body, b"UnknownOperation").is_some() => Ok(false),
        status => Err(failure(name, status, answer.body)),
    }
}

fn failure(name: &str, status: u16, body: &[u8]) -> io::Error {
    let body = String::from_utf8_lossy(&body[..body.len().min(500)]);
    io::Error::other(format!("{name}: {status} {body}"))
}

/// Chance that needs nothing: xorshift.
struct Chance(u64);

impl Chance {
    fn of(client: usize) -> Chance {
        Chance((client as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Makes the table where it is missing, and writes the items, whole batches of them.
fn fill(address: &str, from: usize, to: usize) -> io::Result<()> {
    create(address)?;
    let next = AtomicUsize::new(from);
    let put = format!(r#"{{"PutRequest":{{"Item":{}}}}}"#, item());
    let body =
        format!(r#"{{"RequestItems":{{"{TABLE}":[{}]}}}}"#, vec![put; BATCH_ITEMS].join(","));
    let work = || -> io::Result<()> {
        let mut connection = Connection::open(address)?;
        let mut template = Template::new(address, "BatchWriteItem", &body);
        loop {
            let first = next.fetch_add(BATCH_ITEMS, Ordering::Relaxed);
            if first >= to {
                return Ok(());
            }
            let answer = connection.exchange(template.fill(first, 1, usize::MAX))?;
            if answer.status != 200 || find(answer.body, b"PutRequest").is_some() {
                return Err(failure("BatchWriteItem", answer.status, answer.body));
            }
        }
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..FILLERS).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|t| t.join().expect("a client thread panicked"))
    })
}

fn create(address: &str) -> io::Result<()> {
    let body = format!(
        r#"{{"TableName":"{TABLE}","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[
        {{"AttributeName":"pk","AttributeType":"S"}},{{"AttributeName":"sk","AttributeType":"S"}}],
        "KeySchema":[{{"AttributeName":"pk","KeyType":"HASH"}},
        {{"AttributeName":"sk","KeyType":"RANGE"}}]}}"#
    );
    let mut connection = Connection::open(address)?;
    let send = |operation: &str, body: &str| {
        aws_request(address, "dynamodb", &format!("DynamoDB_20120810.{operation}"), body)
    };
    let answer = connection.exchange(&send("CreateTable", &body))?;
    if answer.status != 200 && find(answer.body, b"ResourceInUse").is_none() {
        return Err(failure("CreateTable", answer.status, answer.body));
    }
    let describe = send("DescribeTable", &format!(r#"{{"TableName":"{TABLE}"}}"#));
    while find(connection.exchange(&describe)?.body, b"\"ACTIVE\"").is_none() {
        thread::sleep(FILL_PAUSE);
    }
    Ok(())
}
