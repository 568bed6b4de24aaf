//! When an item expires.

use base::Time;

use crate::value::{Item, Value};

/// Items that have expired longer ago stay: a second so far back is taken for a mistake.
const AGE_SECS_MAX: u64 = 5 * 365 * 24 * 60 * 60;

/// The second at which an item expires. None where the attribute is no number or none that can be
/// a time.
pub(crate) fn due(item: &Item, attribute: &str) -> Option<u64> {
    let Some(Value::N(number)) = item.get(attribute) else { return None };
    let (negative, mantissa, exponent) = number.parts();
    if negative || mantissa == 0 {
        return None;
    }
    let scale = 10u128.checked_pow(exponent.unsigned_abs());
    let whole = match exponent {
        // A part of a second is over with the next whole one.
        ..0 => scale.map_or(1, |scale| mantissa.div_ceil(scale)),
        _ => mantissa.checked_mul(scale?)?,
    };
    u64::try_from(whole).ok()
}

/// Whether an item that expires at a second is to be removed.
pub(crate) fn is_expired(second: u64, now: Time) -> bool {
    let now = now.as_secs();
    second <= now && now - second <= AGE_SECS_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_that_can_be_seconds_are_due() {
        for (value, wanted) in [
            (Value::N("1700000000".parse().unwrap()), Some(1_700_000_000)),
            (Value::N("17e8".parse().unwrap()), Some(1_700_000_000)),
            (Value::N("1700000000.5".parse().unwrap()), Some(1_700_000_001)),
            (Value::N("1e-120".parse().unwrap()), Some(1)),
            (Value::N("0".parse().unwrap()), None),
            (Value::N("-1700000000".parse().unwrap()), None),
            (Value::N("1e20".parse().unwrap()), None),
            (Value::N("9e125".parse().unwrap()), None),
            (Value::S("1700000000".to_owned()), None),
        ] {
            let item = Item::from([("ttl".to_owned(), value.clone())]);
            assert_eq!(due(&item, "ttl"), wanted, "{value:?}");
            assert_eq!(due(&item, "other"), None);
        }
    }

    #[test]
    fn what_expired_more_than_five_years_ago_stays() {
        let now = Time::from_millis(1_700_000_000_999);
        for (second, wanted) in [
            (1_700_000_001, false),
            (1_700_000_000, true),
            (1_700_000_000 - AGE_SECS_MAX, true),
            (1_700_000_000 - AGE_SECS_MAX - 1, false),
        ] {
            assert_eq!(is_expired(second, now), wanted, "{second}");
        }
    }
}
