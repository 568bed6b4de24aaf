//! Messages out of a stream of bytes that comes in pieces of any size: those of a websocket, and
//! those with a `Content-Length` before them.

/// Longer messages are passed over: those that tell of a stop are far shorter.
pub(super) const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Longer heads are no heads.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// A message of which only so much is kept.
#[derive(Default)]
struct Message {
    bytes: Vec<u8>,
    too_long: bool,
}

impl Message {
    fn add(&mut self, bytes: &[u8]) {
        self.too_long |= self.bytes.len() + bytes.len() > MESSAGE_BYTES_MAX;
        if self.too_long {
            self.bytes = Vec::new();
        } else {
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// The message, if all of it is there; the next one begins.
    fn take(&mut self) -> Option<Vec<u8>> {
        let Message { bytes, too_long } = std::mem::take(self);
        (!too_long).then_some(bytes)
    }
}

/// One direction of a websocket (RFC 6455).
#[derive(Default)]
pub(super) struct Websocket {
    /// Of the frame that comes, as far as it is there.
    header: Vec<u8>,
    frame: Option<Frame>,
    message: Message,
}

struct Frame {
    left: u64,
    /// Of frames to the program.
    mask: Option<[u8; 4]>,
    /// Bytes of it that were unmasked.
    at: usize,
    /// The last frame of its message.
    last: bool,
    /// Ping, pong, close: it may come in the middle of a message.
    control: bool,
}

impl Frame {
    /// The frame that begins with these bytes, once there are enough of them.
    fn parse(header: &[u8]) -> Option<Frame> {
        let (first, second) = (*header.first()?, *header.get(1)?);
        let (length, rest) = match second & 0x7f {
            126 => (u64::from(u16::from_be_bytes(*header.get(2..)?.first_chunk()?)), 4),
            127 => (u64::from_be_bytes(*header.get(2..)?.first_chunk()?), 10),
            short => (u64::from(short), 2),
        };
        let masked = second & 0x80 != 0;
        let mask = if masked { Some(*header.get(rest..)?.first_chunk()?) } else { None };
        let (last, control) = (first & 0x80 != 0, first & 0x08 != 0);
        Some(Frame { left: length, mask, at: 0, last, control })
    }
}

impl Websocket {
    /// Takes what comes next, and gives the messages that are whole with it.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        loop {
            if self.frame.is_none() {
                let Some((byte, rest)) = bytes.split_first() else { return messages };
                self.header.push(*byte);
                bytes = rest;
                self.frame = Frame::parse(&self.header);
            }
            let Some(frame) = &mut self.frame else { continue };
            self.header.clear();
            let count = usize::try_from(frame.left).unwrap_or(usize::MAX).min(bytes.len());
            let (payload, rest) = bytes.split_at(count);
            if !frame.control {
                let unmasked = |(at, byte): (usize, &u8)| match frame.mask {
                    Some(mask) => byte ^ mask[(frame.at + at) % 4],
                    None => *byte,
                };
                let payload: Vec<u8> = payload.iter().enumerate().map(unmasked).collect();
                self.message.add(&payload);
            }
            frame.at = (frame.at + count) % 4;
            frame.left -= count as u64;
            bytes = rest;
            if frame.left > 0 {
                return messages;
            }
            if frame.last && !frame.control {
                messages.extend(self.message.take());
            }
            self.frame = None;
        }
    }
}

/// The head of an HTTP message, or of one of the Debug Adapter Protocol.
#[derive(Default)]
pub(super) struct Head(Vec<u8>);

/// What is not such a head, or does not end: the rest of the stream means nothing here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lost;

impl Head {
    /// Takes bytes off the front until the head ends; then it is given, in lower case.
    pub(super) fn feed(&mut self, bytes: &mut &[u8]) -> Result<Option<String>, Lost> {
        while let Some((byte, rest)) = bytes.split_first() {
            *bytes = rest;
            self.0.push(*byte);
            if self.0.ends_with(b"\r\n\r\n") {
                let head = std::mem::take(&mut self.0);
                return Ok(Some(String::from_utf8_lossy(&head).to_ascii_lowercase()));
            }
            if self.0.len() > HEAD_BYTES_MAX {
                return Err(Lost);
            }
        }
        Ok(None)
    }
}

/// A field of such a head.
pub(super) fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let fields = head.lines().filter_map(|line| line.split_once(':'));
    fields.into_iter().find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
}

/// One direction of the Debug Adapter Protocol.
#[derive(Default)]
pub(super) struct Counted {
    head: Head,
    /// Of the body that comes.
    left: Option<usize>,
    message: Message,
    lost: bool,
}

impl Counted {
    /// Takes what comes next, and gives the messages that are whole with it.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        while !self.lost {
            let Some(left) = self.left else {
                match self.head.feed(&mut bytes) {
                    Ok(Some(head)) => {
                        self.left = field(&head, "content-length").and_then(|n| n.parse().ok());
                        self.lost = self.left.is_none();
                        continue;
                    }
                    Ok(None) => return messages,
                    Err(Lost) => {
                        self.lost = true;
                        return messages;
                    }
                }
            };
            let (body, rest) = bytes.split_at(left.min(bytes.len()));
            self.message.add(body);
            bytes = rest;
            self.left = Some(left - body.len());
            if left > body.len() {
                return messages;
            }
            self.left = None;
            messages.extend(self.message.take());
        }
        messages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame as it is on the wire.
    pub(crate) fn frame(first: u8, mask: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
        let masked = if mask.is_some() { 0x80 } else { 0 };
        let mut frame = vec![first];
        match u16::try_from(payload.len()) {
            Ok(short @ 0..126) => frame.push(masked | u8::try_from(short).unwrap()),
            Ok(medium) => {
                frame.push(masked | 126);
                frame.extend(medium.to_be_bytes());
            }
            Err(_) => {
                frame.push(masked | 127);
                frame.extend((payload.len() as u64).to_be_bytes());
            }
        }
        frame.extend(mask.into_iter().flatten());
        let masked = payload.iter().enumerate();
        frame.extend(masked.map(|(at, byte)| byte ^ mask.map_or(0, |mask| mask[at % 4])));
        frame
    }

    type Feed = Box<dyn FnMut(&[u8]) -> Vec<Vec<u8>>>;

    /// What is heard must not depend on where the pieces end.
    fn check(stream: &[u8], expected: &[&[u8]], feed: &dyn Fn() -> Feed) {
        for size in (1..40).chain([100, 4096, stream.len()]) {
            let mut take = feed();
            let heard: Vec<_> = stream.chunks(size).flat_map(&mut take).collect();
            let heard: Vec<_> =
                heard.iter().map(|message| String::from_utf8_lossy(message)).collect();
            let expected: Vec<_> =
                expected.iter().map(|message| String::from_utf8_lossy(message)).collect();
            assert!(heard == expected, "in pieces of {size}: {} messages", heard.len());
        }
    }

    #[test]
    fn messages_of_a_websocket_come_whole_however_they_are_cut() {
        let mask = Some([1, 2, 3, 250]);
        let (medium, large) = (vec![b'm'; 126], vec![b'l'; 70_000]);
        let stream = [
            frame(0x81, None, b"one"),
            frame(0x01, mask, b"in th"),
            frame(0x89, mask, b"ping"),
            frame(0x00, None, b"r"),
            frame(0x80, mask, b"ee pieces"),
            frame(0x81, mask, &medium),
            frame(0x81, None, b""),
            frame(0x81, mask, &large),
            frame(0x88, None, b"\x03\xe8bye"),
        ];
        let expected: [&[u8]; 5] = [b"one", b"in three pieces", &medium, b"", &large];
        check(&stream.concat(), &expected, &|| {
            let mut socket = Websocket::default();
            Box::new(move |bytes| socket.feed(bytes))
        });
    }

    #[test]
    fn counted_messages_come_whole_however_they_are_cut() {
        let stream = b"Content-Length: 2\r\n\r\n{}content-length:3\r\nX: y\r\n\r\n[1]\
                       Content-Length: 0\r\n\r\nContent-Length: 1\r\n\r\n7";
        check(stream, &[b"{}", b"[1]", b"", b"7"], &|| {
            let mut counted = Counted::default();
            Box::new(move |bytes| counted.feed(bytes))
        });
    }

    #[test]
    fn what_is_too_long_is_passed_over_and_what_is_no_head_ends_it() {
        let long = vec![b'x'; MESSAGE_BYTES_MAX + 1];
        let mut socket = Websocket::default();
        assert!(socket.feed(&frame(0x81, None, &long)).is_empty());
        assert_eq!(socket.feed(&frame(0x81, None, b"next")), [b"next"]);
        let mut counted = Counted::default();
        let text = format!("Content-Length: {}\r\n\r\n", long.len());
        assert!(counted.feed(text.as_bytes()).is_empty() && counted.feed(&long).is_empty());
        assert_eq!(counted.feed(b"Content-Length: 4\r\n\r\nnext"), [b"next"]);
        assert!(counted.feed(&vec![b'x'; HEAD_BYTES_MAX + 1]).is_empty());
        assert!(counted.feed(b"\r\n\r\nContent-Length: 4\r\n\r\nnext").is_empty());
    }
}
