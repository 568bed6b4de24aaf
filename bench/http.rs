//! One connection to a server, kept alive, and what the loads have in common. A module of the load
//! programs, which are compiled by `rustc` alone.

use std::io::{self, Read, Write};
use std::net::TcpStream;

/// What one reading of the socket may bring.
const READ_BYTES: usize = 64 * 1024;

pub struct Connection {
    stream: TcpStream,
    address: String,
    /// What was read, of which `body` gave the last answer.
    buffer: Vec<u8>,
    filled: usize,
}

/// An answer: its status, and where its body is.
pub struct Answer<'a> {
    pub status: u16,
    pub body: &'a [u8],
}

impl Connection {
    pub fn open(address: &str) -> io::Result<Connection> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let buffer = vec![0; READ_BYTES];
        Ok(Connection { stream, address: address.to_owned(), buffer, filled: 0 })
    }

    /// Sends a whole request and waits for its answer. A server that closes is connected to again.
    pub fn exchange(&mut self, request: &[u8]) -> io::Result<Answer<'_>> {
        self.stream.write_all(request)?;
        self.filled = 0;
        let head_end = loop {
            match find(&self.buffer[..self.filled], b"\r\n\r\n") {
                Some(at) => break at + 4,
                None => self.read()?,
            }
        };
        let head = Head::parse(&self.buffer[..head_end]);
        let body = if head.chunked {
            self.dechunk(head_end)?
        } else {
            while self.filled < head_end + head.length {
                self.read()?;
            }
            head_end..head_end + head.length
        };
        if head.close {
            let fresh = Connection::open(&self.address)?;
            self.stream = fresh.stream;
        }
        Ok(Answer { status: head.status, body: &self.buffer[body] })
    }

    fn read(&mut self) -> io::Result<()> {
        if self.buffer.len() - self.filled < READ_BYTES / 2 {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        let count = self.stream.read(&mut self.buffer[self.filled..])?;
        if count == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "closed within an answer"));
        }
        self.filled += count;
        Ok(())
    }

    /// Moves the parts of a body together. Gives where it is.
    fn dechunk(&mut self, start: usize) -> io::Result<std::ops::Range<usize>> {
        let (mut at, mut end) = (start, start);
        loop {
            let line = loop {
                match find(&self.buffer[at..self.filled], b"\r\n") {
                    Some(length) => break length,
                    None => self.read()?,
                }
            };
            let size = std::str::from_utf8(&self.buffer[at..at + line]).unwrap_or_default();
            let size = usize::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
            let from = at + line + 2;
            while self.filled < from + size + 2 {
                self.read()?;
            }
            self.buffer.copy_within(from..from + size, end);
            end += size;
            at = from + size + 2;
            if size == 0 {
                return Ok(start..end);
            }
        }
    }
}

struct Head {
    status: u16,
    length: usize,
    chunked: bool,
    close: bool,
}

impl Head {
    fn parse(bytes: &[u8]) -> Head {
        let text = std::str::from_utf8(bytes).unwrap_or_default();
        let (first, headers) = text.split_once("\r\n").unwrap_or((text, ""));
        let status = first.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        let close = first.starts_with("HTTP/1.0");
        let mut head = Head { status, length: 0, chunked: false, close };
        for (name, value) in headers.lines().filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                head.length = value.parse().unwrap_or(0);
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                head.chunked = value.eq_ignore_ascii_case("chunked");
            } else if name.eq_ignore_ascii_case("connection") {
                head.close |= value.eq_ignore_ascii_case("close");
            }
        }
        head
    }
}

pub fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// A request as SDKs send it. Nobody here looks at the signature.
pub fn aws_request(address: &str, service: &str, target: &str, body: &str) -> Vec<u8> {
    format!(
        "POST / HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/x-amz-json-1.0\r\n\
         X-Amz-Target: {target}\r\nX-Amz-Date: 20260101T000000Z\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/\
         aws4_request, SignedHeaders=host;x-amz-date, Signature={:064}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        0,
        body.len()
    )
    .into_bytes()
}

/// CPU seconds of this process so far: fields 14 and 15 of its stat, in ticks of 10 ms.
pub fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = |at: usize| after_name.split_whitespace().nth(at)?.parse::<f64>().ok();
    (ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0)) / 100.0
}
