//! Requests that two servers could read differently never reach the parser (request smuggling).
//!
//! hyper forgives a line that ends without CR, and drops a Content-Length beside a
//! Transfer-Encoding before anyone can see it. So the bytes of a connection pass by here as they
//! are read: the lines of heads and chunks are looked at, the bytes of bodies are counted and
//! skipped. From the end of the first wrong line on, what was read becomes zeros, which no head and
//! no chunk may hold, and nothing more is read: hyper answers 400 and closes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

use crate::spelling::{Spelling, Spellings};

/// As much of a line as is looked at: what decides about a body must stand in it. The spelling of
/// a longer name is lost.
const LINE_BYTES_MAX: usize = 64;

/// A reader that passes on what can be read in one way only.
pub(crate) struct Strict<R> {
    inner: R,
    filter: Filter,
}

impl<R> Strict<R> {
    /// Notes the names of headers in `spellings` on the way.
    pub(crate) fn new(inner: R, spellings: Spellings) -> Strict<R> {
        Strict { inner, filter: Filter::new(spellings) }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Strict<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if matches!(self.filter.next, Next::Nothing) {
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        self.filter.pass(&mut buf.filled_mut()[before..]);
        Poll::Ready(Ok(()))
    }
}

struct Filter {
    next: Next,
    /// Bytes of a body that come before the next line.
    body: u64,
    /// The beginning of the line that is being read, and its length so far.
    line: [u8; LINE_BYTES_MAX],
    line_bytes: usize,
    last: u8,
    length: Option<u64>,
    chunked: bool,
    spelling: Spelling,
    spellings: Spellings,
}

/// What the next line is.
#[derive(Clone, Copy)]
enum Next {
    Request,
    Header,
    ChunkSize,
    ChunkEnd,
    Trailer,
    /// Nothing more is believed.
    Nothing,
}

impl Filter {
    fn new(spellings: Spellings) -> Filter {
        Filter {
            next: Next::Request,
            body: 0,
            line: [0; LINE_BYTES_MAX],
            line_bytes: 0,
            last: 0,
            length: None,
            chunked: false,
            spelling: Spelling::default(),
            spellings,
        }
    }

    fn pass(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            if matches!(self.next, Next::Nothing) {
                return bytes.fill(0);
            }
            let skipped = usize::try_from(self.body).unwrap_or(usize::MAX).min(bytes.len());
            self.body -= skipped as u64;
            bytes = &mut bytes[skipped..];
            let end = bytes.iter().position(|byte| *byte == b'\n');
            self.note(&bytes[..end.unwrap_or(bytes.len())]);
            let Some(end) = end else { return };
            let next = if self.last == b'\r' { self.after_line() } else { None };
            (self.line_bytes, self.last) = (0, 0);
            self.next = next.unwrap_or(Next::Nothing);
            // A line that is wrong loses its end.
            bytes = &mut bytes[if next.is_some() { end + 1 } else { end }..];
        }
    }

    /// Keeps what comes before a line's end.
    fn note(&mut self, part: &[u8]) {
        let room = &mut self.line[self.line_bytes.min(LINE_BYTES_MAX)..];
        let kept = room.len().min(part.len());
        room[..kept].copy_from_slice(&part[..kept]);
        self.line_bytes += part.len();
        self.last = part.last().copied().unwrap_or(self.last);
    }

    /// What follows a whole line; nothing if the line is wrong.
    fn after_line(&mut self) -> Option<Next> {
        let bytes = self.line_bytes - 1;
        let (line, is_cut) = (self.line, bytes > LINE_BYTES_MAX);
        let line = &line[..bytes.min(LINE_BYTES_MAX)];
        match (self.next, line) {
            (Next::Request, []) => Some(Next::Request),
            (Next::Request, _) => Some(Next::Header),
            (Next::Header, []) => self.after_head(),
            (Next::Header, _) => self.header(line, is_cut).then_some(Next::Header),
            (Next::ChunkSize, _) => self.after_chunk_size(line, is_cut),
            (Next::ChunkEnd, []) => Some(Next::ChunkSize),
            (Next::Trailer, []) => Some(Next::Request),
            (Next::Trailer, _) => Some(Next::Trailer),
            (Next::ChunkEnd | Next::Nothing, _) => None,
        }
    }

    /// Whether a header is as clear as it has to be.
    fn header(&mut self, line: &[u8], is_cut: bool) -> bool {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { return is_cut };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        self.spelling.note(name);
        if name.eq_ignore_ascii_case(b"content-length") {
            let again = self.length.is_some();
            self.length = number(value, 10);
            return self.length.is_some() && !again && !is_cut;
        }
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            let again = std::mem::replace(&mut self.chunked, true);
            return value.eq_ignore_ascii_case(b"chunked") && !again && !is_cut;
        }
        true
    }

    fn after_head(&mut self) -> Option<Next> {
        let next = match (self.length.take(), std::mem::take(&mut self.chunked)) {
            (Some(_), true) => return None,
            (None, true) => Next::ChunkSize,
            (length, false) => {
                self.body = length.unwrap_or(0);
                Next::Request
            }
        };
        self.spellings.push(std::mem::take(&mut self.spelling));
        Some(next)
    }

    fn after_chunk_size(&mut self, line: &[u8], is_cut: bool) -> Option<Next> {
        let semicolon = line.iter().position(|byte| *byte == b';');
        if semicolon.is_none() && is_cut {
            return None;
        }
        self.body = number(line[..semicolon.unwrap_or(line.len())].trim_ascii_end(), 16)?;
        Some(if self.body == 0 { Next::Trailer } else { Next::ChunkEnd })
    }
}

fn number(digits: &[u8], radix: u32) -> Option<u64> {
    let text = std::str::from_utf8(digits).ok()?;
    // A sign is no digit of HTTP.
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    plain.then(|| u64::from_str_radix(text, radix).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    fn passed(parts: &[&[u8]]) -> String {
        let mut filter = Filter::new(Spellings::default());
        let mut all = Vec::new();
        for part in parts {
            let mut part = part.to_vec();
            filter.pass(&mut part);
            all.extend(part);
        }
        let end = all.iter().position(|byte| *byte == 0).unwrap_or(all.len());
        assert!(all[end..].iter().all(|byte| *byte == 0), "nothing may come after a zero");
        String::from_utf8(all[..end].to_vec()).unwrap()
    }

    /// Wherever the network cuts it, the same comes through.
    fn check(stream: &str, expected: &str) {
        let bytes = stream.as_bytes();
        for cut in 0..bytes.len() {
            assert_eq!(passed(&[&bytes[..cut], &bytes[cut..]]), expected, "cut at {cut}");
        }
        assert_eq!(passed(&bytes.chunks(1).collect::<Vec<_>>()), expected);
    }

    fn passes(stream: &str) {
        check(&format!("{stream}{GET}"), &format!("{stream}{GET}"));
    }

    /// A head with these lines is cut off before the end of the wrong one.
    fn refuses(lines: &str, up_to: &str) {
        let head = |lines: &str| format!("{GET}POST / HTTP/1.1\r\n{lines}");
        check(&(head(lines) + GET), &head(up_to));
    }

    #[test]
    fn what_is_clear_passes_whatever_its_body_holds() {
        passes("");
        passes("\r\n\r\n");
        passes("POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n");
        passes("POST / HTTP/1.1\r\ncontent-LENGTH:\t9 \r\n\r\na\nb\n\nc\td");
        let long = "x".repeat(300);
        passes(&format!("POST /{long} HTTP/1.1\r\n{long}: {long}\r\nContent-Length:1\r\n\r\n\n"));
        passes("POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n");
        passes(&format!(
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\
             5\r\na\nb\n\n\r\n00A ; x={long}\r\n0123456789\r\n0\r\nX: y\r\nZ: {long}\r\n\r\n"
        ));
    }

    #[test]
    fn the_names_of_every_head_are_noted() {
        let stream = "\r\nPOST /A HTTP/1.1\r\nX-Abc: D\r\nTransfer-Encoding: chunked\r\n\r\n\
                      1\r\nx\r\n0\r\nX-ABC: y\r\n\r\nGET / HTTP/1.1\r\nX-aBC:\r\n\r\n";
        let spellings = Spellings::default();
        let mut filter = Filter::new(spellings.clone());
        for part in stream.as_bytes().chunks(7) {
            filter.pass(&mut part.to_vec());
        }
        let heads = [spellings.next(), spellings.next(), spellings.next()];
        let names = heads.each_ref().map(|head| head.of("x-abc"));
        assert_eq!(names, ["X-Abc", "X-aBC", "x-abc"]);
        assert_eq!(heads[0].of("transfer-encoding"), "Transfer-Encoding");
    }

    #[test]
    fn a_line_ends_with_both() {
        check("GET / HTTP/1.1\nHost: a\r\n\r\n", "GET / HTTP/1.1");
        check("\nGET / HTTP/1.1\r\n\r\n", "");
        refuses("X: y\nContent-Length: 4\r\n\r\n", "X: y");
        refuses("X: y\r\n\nabc", "X: y\r\n");
        let chunked = "Transfer-Encoding: chunked\r\n\r\n";
        refuses(&format!("{chunked}1\nx\r\n0\r\n\r\n"), &format!("{chunked}1"));
        refuses(&format!("{chunked}1\r\nx\n0\r\n\r\n"), &format!("{chunked}1\r\nx"));
        refuses(&format!("{chunked}0\r\nX: y\n\r\n"), &format!("{chunked}0\r\nX: y"));
    }

    #[test]
    fn a_body_has_one_length() {
        let (length, chunked) = ("Content-Length: 4\r\n", "Transfer-Encoding: chunked\r\n");
        refuses(&format!("{length}{chunked}\r\n"), &format!("{length}{chunked}\r"));
        refuses(&format!("{chunked}{length}\r\n"), &format!("{chunked}{length}\r"));
        for again in ["Content-Length: 4\r", "content-length: 5\r"] {
            refuses(&format!("{length}{again}\n\r\n"), &format!("{length}{again}"));
        }
        refuses(
            &format!("{chunked}{chunked}\r\n"),
            (chunked.to_owned() + chunked).trim_end_matches('\n'),
        );
        for unclear in ["+4", "-4", "4, 4", "0x4", "", "99999999999999999999"] {
            let line = format!("Content-Length: {unclear}\r");
            refuses(&format!("{line}\n\r\n"), &line);
        }
        for unclear in ["gzip, chunked", "chunked, identity", "xchunked", "\"chunked\""] {
            let line = format!("Transfer-Encoding: {unclear}\r");
            refuses(&format!("{line}\n\r\n"), &line);
        }
        let padded = format!("Content-Length:{}4\r", " ".repeat(LINE_BYTES_MAX));
        refuses(&format!("{padded}\n\r\n"), &padded);
    }

    #[test]
    fn a_chunk_has_a_size() {
        for unclear in ["", "+1", "0x1", "g", "1 1", "fffffffffffffffff", &"0".repeat(65)] {
            let head = format!("Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n{unclear}\r");
            refuses(&format!("{head}\nx\r\n0\r\n\r\n"), &head);
        }
        let over = "Transfer-Encoding: chunked\r\n\r\n1\r\nxy\r";
        refuses(&format!("{over}\n0\r\n\r\n"), over);
    }
}
