//! Tokens: positions among lines, as text no client may look into.

use store::Dir;

use crate::error::{Error, Result};

/// Positions have 56 digits, as AWS's have.
const DIGITS: usize = 56;

/// The id of an event, from its number.
pub(crate) fn event_id(number: u64) -> String {
    format!("{number:0DIGITS$}")
}

/// A place in a stream and the direction to go on in: `f/…` or `b/…`.
pub(crate) fn of_stream(dir: Dir, position: u64) -> String {
    let way = if dir == Dir::Forward { 'f' } else { 'b' };
    format!("{way}/{position:0DIGITS$}")
}

pub(crate) fn parse_of_stream(token: &str) -> Result<(Dir, u64)> {
    let (dir, digits) = match token.split_once('/') {
        Some(("f", digits)) => (Dir::Forward, digits),
        Some(("b", digits)) => (Dir::Backward, digits),
        _ => return Err(invalid()),
    };
    Ok((dir, parse(digits)?))
}

/// A position among a group's lines.
pub(crate) fn parse(digits: &str) -> Result<u64> {
    digits.parse().map_err(|_not_a_number| invalid())
}

fn invalid() -> Error {
    Error::InvalidParameter("The specified nextToken is invalid.".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_and_nonsense_does_not() {
        for (dir, position) in [(Dir::Forward, 0), (Dir::Backward, u64::MAX)] {
            let token = of_stream(dir, position);
            assert_eq!(token.len(), 58);
            assert_eq!(parse_of_stream(&token).unwrap(), (dir, position));
        }
        for token in ["", "f", "f/", "x/1", "f/-1", "f/99999999999999999999"] {
            assert!(parse_of_stream(token).is_err(), "{token}");
        }
    }
}
