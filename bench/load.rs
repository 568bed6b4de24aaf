//! The load of bench `warm` where every request counts: connections that each send one request
//! after the other, and look at every answer.
//!
//! `load HOST:PORT PATH CONNECTIONS REQUESTS [cut]` sends so many requests in all, with standard
//! input as their body, and prints one line of JSON; each second, on standard error, how many are
//! left. With `cut`, three of four requests are cut off
//! by their client: half sent, or sent and left, or left in the middle of the answer. Compiled by
//! `rustc -O` alone.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_secs(30);

/// What became of the requests.
#[derive(Default)]
struct Outcome {
    /// Answers by status.
    answered: BTreeMap<u16, usize>,
    /// Requests without an answer, by what went wrong.
    failed: BTreeMap<String, usize>,
    cut: usize,
    micros: Vec<u32>,
}

fn main() -> io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (address, path, connections, requests, cut) = match &args[..] {
        [address, path, connections, requests] => (address, path, connections, requests, false),
        [address, path, connections, requests, cut] if cut == "cut" => {
            (address, path, connections, requests, true)
        }
        _ => {
            eprintln!("load HOST:PORT PATH CONNECTIONS REQUESTS [cut]");
            std::process::exit(2);
        }
    };
    let number = |text: &String| text.parse::<usize>().map_err(io::Error::other);
    let (connections, requests) = (number(connections)?, number(requests)?);
    let mut body = String::new();
    io::stdin().read_to_string(&mut body)?;
    let request: Arc<[u8]> = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
    .into();
    let left = Arc::new(AtomicUsize::new(requests));
    let (began, mut told) = (Instant::now(), 0);
    let threads: Vec<_> = (0..connections)
        .map(|seed| {
            let (address, request, left) = (address.clone(), Arc::clone(&request), left.clone());
            thread::spawn(move || run(&address, &request, &left, cut.then_some(seed)))
        })
        .collect();
    while threads.iter().any(|thread| !thread.is_finished()) {
        thread::sleep(Duration::from_millis(10));
        tell(&mut told, began, left.load(Ordering::Relaxed), requests);
    }
    let mut all = Outcome::default();
    for thread in threads {
        let one = thread.join().expect("a client thread panicked");
        one.answered.into_iter().for_each(|(key, n)| *all.answered.entry(key).or_default() += n);
        one.failed.into_iter().for_each(|(key, n)| *all.failed.entry(key).or_default() += n);
        all.cut += one.cut;
        all.micros.extend(one.micros);
    }
    print(&mut all, began.elapsed());
    Ok(())
}

/// Tells how far it is, once in each second.
fn tell(told: &mut u64, began: Instant, left: usize, of: usize) {
    let seconds = began.elapsed().as_secs();
    if seconds > *told {
        *told = seconds;
        eprintln!("load: {} of {of} requests, {seconds} s", of - left);
    }
}

fn print(all: &mut Outcome, elapsed: Duration) {
    all.micros.sort_unstable();
    let at = |part: f64| all.micros.get((all.micros.len() as f64 * part) as usize).unwrap_or(&0);
    let member = |(key, count): (String, &usize)| format!("{key:?}: {count}");
    let answered: Vec<_> = all.answered.iter().map(|(k, n)| member((k.to_string(), n))).collect();
    let failed: Vec<_> = all.failed.iter().map(|(k, n)| member((k.clone(), n))).collect();
    println!(
        r#"{{"answered": {{{}}}, "failed": {{{}}}, "cut": {}, "seconds": {:.3}, "p50_us": {}, "p99_us": {}}}"#,
        answered.join(", "),
        failed.join(", "),
        all.cut,
        elapsed.as_secs_f64(),
        at(0.5),
        at(0.99),
    );
}

/// One connection's part. With a seed, clients leave.
fn run(address: &str, request: &[u8], left: &AtomicUsize, seed: Option<usize>) -> Outcome {
    let mut outcome = Outcome::default();
    let mut connection = None;
    let mut turn = seed.unwrap_or(0);
    let one_less = |left: usize| left.checked_sub(1);
    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok() {
        turn += 1;
        let began = Instant::now();
        let kept = connection.take().map_or_else(|| connect(address), Ok);
        let how = if seed.is_some() { turn % 4 } else { 0 };
        let done = kept.and_then(|mut stream| exchange(&mut stream, request, how).map(|s| (stream, s)));
        match done {
            Ok((stream, Some(status))) => {
                *outcome.answered.entry(status).or_default() += 1;
                outcome.micros.push(began.elapsed().as_micros() as u32);
                connection = Some(stream);
            }
            Ok((_left, None)) => outcome.cut += 1,
            Err(error) => *outcome.failed.entry(format!("{:?}", error.kind())).or_default() += 1,
        }
    }
    outcome
}

fn connect(address: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

/// Sends the request and gives the status of its answer, or nothing where it left before.
fn exchange(stream: &mut TcpStream, request: &[u8], how: usize) -> io::Result<Option<u16>> {
    if how == 1 {
        stream.write_all(&request[..request.len() / 2])?;
        return Ok(None);
    }
    stream.write_all(request)?;
    match how {
        2 => return Ok(None),
        3 => {
            let mut some = [0; 16];
            let _some = stream.read(&mut some)?;
            return Ok(None);
        }
        _ => {}
    }
    let (mut data, mut buffer) = (Vec::new(), [0; 16 * 1024]);
    loop {
        let got = stream.read(&mut buffer)?;
        if got == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        data.extend_from_slice(&buffer[..got]);
        if let Some((status, length)) = whole(&data)?
            && data.len() >= length
        {
            return Ok(Some(status));
        }
    }
}

/// The status and how long the answer will be, once its head is there.
fn whole(data: &[u8]) -> io::Result<Option<(u16, usize)>> {
    let Some(end) = data.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = String::from_utf8_lossy(&data[..end]).to_ascii_lowercase();
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    let length = head.split("\r\n").find_map(|line| line.strip_prefix("content-length: "));
    let length: Option<usize> = length.and_then(|text| text.parse().ok());
    match (status, length) {
        (Some(status), Some(length)) => Ok(Some((status, end + 4 + length))),
        _ => Err(io::Error::other("an answer without a status or a length")),
    }
}
