//! Exact decimal numbers of up to 38 digits, as tables store and compare them.

use std::cmp::Ordering;
use std::fmt;

/// Significant digits a number may have.
const DIGITS_MAX: u32 = 38;
/// 10^38, the first mantissa with too many digits.
const MANTISSA_END: u128 = 10u128.pow(DIGITS_MAX);
/// Decimal exponents of the leading digit: 1E-130 up to 9.99…E+125.
const LEADING_MIN: i32 = -130;
const LEADING_MAX: i32 = 125;
/// Digits of a written exponent that can matter; more are clamped, not parsed.
const EXPONENT_DIGITS_MAX: usize = 6;

/// A number: ±mantissa · 10^exponent. The mantissa has no trailing zeros and zero is +0E0, so
/// equal numbers are equal field by field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Number {
    negative: bool,
    mantissa: u128,
    exponent: i32,
}

/// Why something is not a number. The messages are AWS's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Invalid {
    #[error("The parameter cannot be converted to a numeric value{}{_0}",
        if _0.is_empty() { "" } else { ": " })]
    NotNumeric(String),
    #[error("Attempting to store more than 38 significant digits in a Number")]
    TooManyDigits,
    #[error(
        "Number overflow. Attempting to store a number with magnitude larger than supported range"
    )]
    Overflow,
    #[error(
        "Number underflow. Attempting to store a number with magnitude smaller than supported range"
    )]
    Underflow,
}

impl std::str::FromStr for Number {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Number, Invalid> {
        let not_numeric = || Invalid::NotNumeric(text.to_owned());
        let (negative, rest) = split_sign(text);
        let (digits, exponent) = match rest.split_once(['e', 'E']) {
            Some((digits, exponent)) => (digits, parse_exponent(exponent).ok_or_else(not_numeric)?),
            None => (rest, 0),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all = || whole.bytes().chain(fraction.bytes());
        if all().next().is_none() || !all().all(|byte| byte.is_ascii_digit()) {
            return Err(not_numeric());
        }
        let mut mantissa: u128 = 0;
        // Zeros are held back until a digit follows them: trailing ones are not significant.
        let (mut zeros, mut significant) = (0u32, 0u32);
        for byte in all() {
            if byte == b'0' {
                zeros += u32::from(mantissa != 0);
                continue;
            }
            significant += zeros + 1;
            if significant > DIGITS_MAX {
                return Err(Invalid::TooManyDigits);
            }
            mantissa = mantissa * 10u128.pow(zeros + 1) + u128::from(byte - b'0');
            zeros = 0;
        }
        let places = i64::try_from(fraction.len()).unwrap_or(i64::MAX);
        let exponent = exponent.saturating_sub(places).saturating_add(i64::from(zeros));
        Number::checked(negative, mantissa, exponent)
    }
}

fn split_sign(text: &str) -> (bool, &str) {
    match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    }
}

fn parse_exponent(text: &str) -> Option<i64> {
    let (negative, digits) = split_sign(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = digits.trim_start_matches('0');
    let size: i64 = match digits.len() {
        0 => 0,
        1..=EXPONENT_DIGITS_MAX => digits.parse().ok()?,
        _ => 10i64.pow(6),
    };
    Some(if negative { -size } else { size })
}

impl Number {
    /// A number from parts that need not be normal yet.
    fn checked(negative: bool, mut mantissa: u128, mut exponent: i64) -> Result<Number, Invalid> {
        if mantissa == 0 {
            return Ok(Number::default());
        }
        while mantissa.is_multiple_of(10) {
            mantissa /= 10;
            exponent = exponent.saturating_add(1);
        }
        if mantissa >= MANTISSA_END {
            return Err(Invalid::TooManyDigits);
        }
        let leading = exponent.saturating_add(i64::from(mantissa.ilog10()));
        if leading > i64::from(LEADING_MAX) {
            return Err(Invalid::Overflow);
        }
        if leading < i64::from(LEADING_MIN) {
            return Err(Invalid::Underflow);
        }
        let exponent = i32::try_from(exponent).map_err(|_| Invalid::Underflow)?;
        Ok(Number { negative, mantissa, exponent })
    }

    /// A number from its stored parts; `None` if no number has these.
    pub(crate) fn from_parts(negative: bool, mantissa: u128, exponent: i32) -> Option<Number> {
        let number = Number::checked(negative, mantissa, i64::from(exponent)).ok()?;
        (number.mantissa == mantissa && number.exponent == exponent).then_some(number)
    }

    /// Sign, mantissa and exponent, for storing.
    pub(crate) fn parts(&self) -> (bool, u128, i32) {
        (self.negative, self.mantissa, self.exponent)
    }

    /// The exact sum.
    pub(crate) fn add(self, other: Number) -> Result<Number, Invalid> {
        if other.mantissa == 0 {
            return Ok(self);
        }
        if self.mantissa == 0 {
            return Ok(other);
        }
        let (high, low) =
            if self.exponent >= other.exponent { (self, other) } else { (other, self) };
        let shift = high.exponent.abs_diff(low.exponent);
        // What does not fit 128 bits here has more than 38 digits in the end: its last digit is
        // the last one of `low`, which is not zero, and its first one is beyond 10^38.
        let scaled = 10u128
            .checked_pow(shift)
            .and_then(|factor| high.mantissa.checked_mul(factor))
            .ok_or(Invalid::TooManyDigits)?;
        let (negative, mantissa) = if high.negative == low.negative {
            let sum = scaled.checked_add(low.mantissa).ok_or(Invalid::TooManyDigits)?;
            (high.negative, sum)
        } else if scaled >= low.mantissa {
            (high.negative, scaled - low.mantissa)
        } else {
            (low.negative, low.mantissa - scaled)
        };
        Number::checked(negative, mantissa, i64::from(low.exponent))
    }

    /// The exact difference.
    pub(crate) fn subtract(self, other: Number) -> Result<Number, Invalid> {
        self.add(Number { negative: !other.negative && other.mantissa != 0, ..other })
    }

    /// The decimal exponent of the first digit.
    fn leading(&self) -> i32 {
        self.exponent + i32::try_from(self.mantissa.checked_ilog10().unwrap_or(0)).unwrap_or(0)
    }

    /// The mantissa as digit pairs, padded with a zero at the end.
    fn pairs(&self) -> Vec<u8> {
        let digits = self.mantissa.to_string();
        let digits: Vec<u8> = digits.bytes().map(|digit| digit - b'0').collect();
        digits.chunks(2).map(|pair| pair[0] * 10 + pair.get(1).copied().unwrap_or(0)).collect()
    }

    /// Bytes a number counts in an item's size: one, one per pair of digits (pairs stand at even
    /// places), and one for a minus.
    pub(crate) fn size(&self) -> usize {
        if self.mantissa == 0 {
            return 1;
        }
        let pad = u32::from(self.leading().rem_euclid(2) == 0);
        let pairs = (self.mantissa.ilog10() + 1 + pad).div_ceil(2);
        1 + usize::try_from(pairs).unwrap_or(0) + usize::from(self.negative)
    }

    /// Bytes whose order is the order of the numbers. Persisted in keys, so must stay as it is:
    /// sign (0, 1, 2), then for all but zero the leading exponent + 130, digit pairs + 1, and a
    /// zero; inverted for negative numbers.
    pub(crate) fn ordered(&self) -> Vec<u8> {
        if self.mantissa == 0 {
            return vec![1];
        }
        let mut bytes = Vec::with_capacity(22);
        bytes.push(if self.negative { 0 } else { 2 });
        bytes.push(u8::try_from(self.leading() - LEADING_MIN).unwrap_or(u8::MAX));
        bytes.extend(self.pairs().into_iter().map(|pair| pair + 1));
        bytes.push(0);
        if self.negative {
            bytes[1..].iter_mut().for_each(|byte| *byte = !*byte);
        }
        bytes
    }
}

impl From<usize> for Number {
    fn from(count: usize) -> Number {
        // Counts of things in memory have at most 20 digits.
        Number::checked(false, count as u128, 0).unwrap_or_default()
    }
}

/// Written out in full, never with an exponent, as AWS answers.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        if let (0, Ok(whole)) = (self.exponent, u64::try_from(self.mantissa)) {
            return write!(f, "{sign}{whole}");
        }
        let digits = self.mantissa.to_string();
        let zeros = usize::try_from(self.exponent.unsigned_abs()).unwrap_or(0);
        if self.exponent >= 0 {
            write!(f, "{sign}{digits}{:0<zeros$}", "")
        } else if zeros < digits.len() {
            let (whole, fraction) = digits.split_at(digits.len() - zeros);
            write!(f, "{sign}{whole}.{fraction}")
        } else {
            write!(f, "{sign}0.{digits:0>zeros$}")
        }
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Number) -> Ordering {
        let sign = |number: &Number| match (number.mantissa, number.negative) {
            (0, _) => 0i8,
            (_, true) => -1,
            (_, false) => 1,
        };
        let by_sign = sign(self).cmp(&sign(other));
        if by_sign.is_ne() || self.mantissa == 0 {
            return by_sign;
        }
        // Both mantissas with 38 digits: then they compare as fractions do.
        let full = |n: &Number| n.mantissa * 10u128.pow(DIGITS_MAX - 1 - n.mantissa.ilog10());
        let by_size =
            self.leading().cmp(&other.leading()).then_with(|| full(self).cmp(&full(other)));
        if self.negative { by_size.reverse() } else { by_size }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Number) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(given: &str, wanted: &str) {
        let got = match given.parse::<Number>() {
            Ok(number) => number.to_string(),
            Err(invalid) => invalid.to_string(),
        };
        assert_eq!(got, wanted, "{given}");
    }

    #[test]
    fn numbers_are_normalised() {
        check("1.0", "1");
        check("1E2", "100");
        check("+007", "7");
        check("-0.00", "0");
        check(".5", "0.5");
        check("5.", "5");
        check("-12.340", "-12.34");
        check("1e-3", "0.001");
        check("0e999999999999", "0");
        check("1e125", &format!("1{}", "0".repeat(125)));
        check("1e-130", &format!("0.{}1", "0".repeat(129)));
        check(&"9".repeat(38), &"9".repeat(38));
        check(&format!("{}e88", "9".repeat(38)), &format!("{}{}", "9".repeat(38), "0".repeat(88)));
        check(&format!("1{}", "0".repeat(100)), &format!("1{}", "0".repeat(100)));
        check(&format!("0.{}1", "0".repeat(129)), &format!("0.{}1", "0".repeat(129)));
    }

    #[test]
    fn what_is_no_number_is_told_so() {
        let numeric = "The parameter cannot be converted to a numeric value";
        check("", numeric);
        for bad in ["b", " 1", "1 ", "-", ".", "1e", "e1", "1.2.3", "--1", "0x1", "NaN", "١", "1_0"]
        {
            check(bad, &format!("{numeric}: {bad}"));
        }
        let digits = "Attempting to store more than 38 significant digits in a Number";
        check(&"1".repeat(39), digits);
        check("-1.23456789012345678901234567890123456789", digits);
        check(&"1".repeat(5_000), digits);
        let range = |what: &str, size: &str| {
            format!(
                "Number {what}. Attempting to store a number with magnitude {size} than \
                 supported range"
            )
        };
        for bad in ["1e126", "-1e126", "1e99999999999999999999"] {
            check(bad, &range("overflow", "larger"));
        }
        for bad in ["1e-131", "-1e-131", "1e-99999999999999999999"] {
            check(bad, &range("underflow", "smaller"));
        }
    }

    #[test]
    fn sums_are_exact_or_refused() {
        let check = |a: &str, b: &str, wanted: Result<&str, Invalid>| {
            let sum = a.parse::<Number>().unwrap().add(b.parse().unwrap());
            assert_eq!(sum.map(|n| n.to_string()), wanted.map(str::to_owned), "{a} + {b}");
        };
        check("0.1", "0.2", Ok("0.3"));
        check("1", "-1", Ok("0"));
        check("-1", "0.25", Ok("-0.75"));
        check("99999999999999999999999999999999999999", "1", Ok(&format!("1{}", "0".repeat(38))));
        check(&format!("1{}", "0".repeat(38)), "-1", Ok(&"9".repeat(38)));
        check("1e38", "1", Err(Invalid::TooManyDigits));
        check("1e100", "-1", Err(Invalid::TooManyDigits));
        check("9e125", "9e125", Err(Invalid::Overflow));
        let ten = Number::from(10).subtract("7.5".parse().unwrap()).unwrap();
        assert_eq!(ten.to_string(), "2.5");
    }

    #[test]
    fn sizes_count_pairs_of_digits() {
        for (text, size) in [
            ("0", 1),
            ("1", 2),
            ("11", 2),
            ("111", 3),
            ("1.1", 3),
            ("11.1", 3),
            ("100", 2),
            ("-1", 3),
            ("0.01", 2),
            ("0.1", 2),
            ("12345678901234567890123456789012345678", 20),
        ] {
            assert_eq!(text.parse::<Number>().unwrap().size(), size, "{text}");
        }
    }

    fn any_number() -> impl Strategy<Value = Number> {
        let mantissa = prop_oneof![0u128..2_000, any::<u128>().prop_map(|m| m % MANTISSA_END)];
        (any::<bool>(), mantissa, -130i64..126)
            .prop_filter_map("in range", |(n, m, e)| Number::checked(n, m, e).ok())
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(number in any_number()) {
            prop_assert_eq!(number.to_string().parse::<Number>(), Ok(number));
            let (negative, mantissa, exponent) = number.parts();
            prop_assert_eq!(Number::from_parts(negative, mantissa, exponent), Some(number));
        }

        #[test]
        fn bytes_are_ordered_as_numbers_are(a in any_number(), b in any_number()) {
            prop_assert_eq!(a.ordered().cmp(&b.ordered()), a.cmp(&b));
            let difference = a.subtract(b);
            if let Ok(difference) = difference {
                prop_assert_eq!(difference.cmp(&Number::default()), a.cmp(&b));
                prop_assert_eq!(difference.add(b), Ok(a));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,60}|[-+0-9.eE]{0,60}") {
            let _either = text.parse::<Number>();
        }
    }
}
