//! The native sample function: speaks the Runtime API over one connection, made by hand, as small
//! as a compiled function can be. Compiled by `rustc -O` alone.
//!
//! It reads its events and answers as the other samples do.

use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

fn main() -> io::Result<()> {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let (api, stream) = (variable("AWS_LAMBDA_RUNTIME_API"), variable("AWS_LAMBDA_LOG_STREAM_NAME"));
    let connection = TcpStream::connect(&api)?;
    connection.set_nodelay(true)?;
    let mut reader = BufReader::new(connection.try_clone()?);
    let mut writer = connection;
    let base = "/2018-06-01/runtime/invocation";
    loop {
        write!(writer, "GET {base}/next HTTP/1.1\r\nHost: {api}\r\n\r\n")?;
        let (request, event) = answer(&mut reader)?;
        if let Some(hold_ms) = number(&event, "hold_ms") {
            thread::sleep(Duration::from_millis(hold_ms));
        }
        let mut body = format!(r#"{{"stream":"{stream}","program":"bootstrap""#);
        if event.contains("\"born\"") {
            let stat = std::fs::read_to_string("/proc/self/stat")?;
            body += &format!(r#","born":"{}""#, stat.trim_end());
        }
        body.push('}');
        let reply = format!(
            "POST {base}/{request}/response HTTP/1.1\r\nHost: {api}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        writer.write_all(reply.as_bytes())?;
        answer(&mut reader)?;
    }
}

/// The id of the request and the body.
fn answer(reader: &mut impl BufRead) -> io::Result<(String, String)> {
    let (mut length, mut request, mut line) = (0, String::new(), String::new());
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let header = line.trim_end();
        if header.is_empty() {
            break;
        }
        if let Some((name, value)) = header.split_once(": ") {
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().unwrap_or(0),
                "lambda-runtime-aws-request-id" => value.clone_into(&mut request),
                _ => {}
            }
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok((request, String::from_utf8_lossy(&body).into_owned()))
}

/// A member that is a number, without reading JSON.
fn number(json: &str, name: &str) -> Option<u64> {
    let (_, rest) = json.split_once(&format!("\"{name}\":"))?;
    let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}
