//! Lines as bytes: what one group wrote in about a second, compressed.

use std::sync::Arc;

use base::Time;
use serde::{Deserialize, Serialize};
use store::Error;

use crate::buffer::Line;

/// Lines are cut into blocks of about this much text.
pub(crate) const TEXT_BYTES_MAX: usize = 256 * 1024;

/// A block before compression. Names of streams and requests are written once.
#[derive(Serialize, Deserialize)]
struct Block {
    names: Vec<String>,
    lines: Vec<Stored>,
}

/// `(number, time, stream, request id if any, text)`; names by their place in the list.
type Stored = (u64, Time, u32, Option<u32>, String);

/// Compresses lines. Fails only where memory does.
pub(crate) fn encode(lines: &[Line]) -> Result<Vec<u8>, Error> {
    let mut names = Vec::new();
    // A group has few streams and many requests, of which the last ones come again.
    let (mut streams, mut requests) = (Vec::new(), Vec::new());
    let lines = lines
        .iter()
        .map(|line| {
            let request = line.request_id.as_ref();
            let request = request.map(|id| place(&mut names, &mut requests, id));
            let stream = place(&mut names, &mut streams, &line.stream);
            (line.number, line.time, stream, request, line.text.clone())
        })
        .collect();
    let bytes = rmp_serde::to_vec(&Block { names, lines })
        .map_err(|error| Error::corrupt("new block of log lines", error))?;
    Ok(lz4_flex::compress_prepend_size(&bytes))
}

/// The place of a name in the list, among those of its kind that were met before.
fn place<'l>(names: &mut Vec<String>, met: &mut Vec<(&'l str, u32)>, name: &'l str) -> u32 {
    if let Some((_, at)) = met.iter().rfind(|(known, _)| *known == name) {
        return *at;
    }
    let at = u32::try_from(names.len()).unwrap_or(u32::MAX);
    names.push(name.to_owned());
    met.push((name, at));
    at
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<Line>, Error> {
    let corrupt =
        |why: &dyn std::fmt::Display| Error::corrupt("block of log lines", why.to_string());
    // The size stands in front; it is believed only within what a block may have.
    let (size, _) = lz4_flex::block::uncompressed_size(bytes).map_err(|error| corrupt(&error))?;
    if size > 8 * TEXT_BYTES_MAX {
        return Err(corrupt(&"it is larger than any block"));
    }
    let bytes = lz4_flex::decompress_size_prepended(bytes).map_err(|error| corrupt(&error))?;
    let block: Block = rmp_serde::from_slice(&bytes).map_err(|error| corrupt(&error))?;
    let names: Vec<Arc<str>> = block.names.into_iter().map(Arc::from).collect();
    let name = |at: u32| names.get(at as usize).cloned();
    let line = |(number, time, stream, request, text): Stored| {
        let stream = name(stream).ok_or_else(|| corrupt(&"a name is missing"))?;
        Ok(Line { number, time, stream, request_id: request.and_then(name), text })
    };
    block.lines.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_survive_compression_and_damage_is_seen() {
        let line = |number, request: Option<&str>| Line {
            number,
            time: Time::from_millis(number),
            stream: "s".into(),
            request_id: request.map(Into::into),
            text: format!("line {number} é"),
        };
        let lines = [line(1, None), line(2, Some("r")), line(3, Some("r"))];
        let bytes = encode(&lines).unwrap();
        assert_eq!(decode(&bytes).unwrap(), lines);
        let old = include_bytes!("../tests/fixtures/block.v1");
        assert_eq!(decode(old).unwrap(), lines, "what the first version wrote");
        assert!(decode(&bytes[..bytes.len() - 1]).is_err());
        assert!(decode(&[0xff; 8]).is_err());
    }
}
