//! Pure decisions: what a schedule expression means, when it is due next, and the event it sends.

use std::time::Duration;

use base::{Arn, Time};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;

use crate::error::Error;

/// Longest `ScheduleExpression`.
const EXPRESSION_CHARS_MAX: usize = 256;
/// Longest period of a rate. AWS names no limit; ours keeps times computable.
const RATE_DAYS_MAX: u64 = 36_500;
const NAME_CHARS_MAX: usize = 64;

/// When a rule is due, parsed.
#[derive(Debug)]
pub(crate) enum Schedule {
    /// Every so long, counted from when the rule was made or enabled.
    Rate(Duration),
    /// At civil times in UTC.
    Cron(Box<Cron>),
}

impl Schedule {
    /// Parses `rate(5 minutes)` or `cron(0 12 * * ? *)`.
    pub(crate) fn parse(text: &str) -> Result<Schedule, Error> {
        let inner = |kind: &str| text.strip_prefix(kind)?.strip_prefix('(')?.strip_suffix(')');
        let parsed = if text.len() > EXPRESSION_CHARS_MAX {
            None
        } else if let Some(rate) = inner("rate") {
            parse_rate(rate).map(Schedule::Rate)
        } else {
            inner("cron").and_then(parse_cron).map(|cron| Schedule::Cron(Box::new(cron)))
        };
        parsed.ok_or(Error::ScheduleExpression)
    }

    /// The first due time after `after`. A rate keeps to the grid that starts at `anchor`, so a
    /// firing that comes late, or not at all, does not move the later ones.
    pub(crate) fn next(&self, anchor: Time, after: Time) -> Option<Time> {
        match self {
            Schedule::Rate(period) => {
                let period = u64::try_from(period.as_millis()).ok()?;
                let passed = after.as_millis().saturating_sub(anchor.as_millis()) / period;
                let millis = (passed + 1).checked_mul(period)?;
                Some(Time::from_millis(anchor.as_millis().checked_add(millis)?))
            }
            Schedule::Cron(cron) => {
                let millis = i64::try_from(after.as_millis()).ok()?;
                let civil = Timestamp::from_millisecond(millis).ok()?.to_zoned(TimeZone::UTC);
                let next = cron.find_next_occurrence(&civil.datetime(), false).ok()?;
                let next = next.to_zoned(TimeZone::UTC).ok()?.timestamp();
                u64::try_from(next.as_millisecond()).ok().map(Time::from_millis)
            }
        }
    }
}

/// `5 minutes`: a positive number and a unit that agrees with it, as AWS insists.
fn parse_rate(text: &str) -> Option<Duration> {
    let (count, unit) = text.split_once(' ')?;
    let count: u64 = count.parse().ok().filter(|count| *count > 0)?;
    let singular = if count == 1 { unit } else { unit.strip_suffix('s')? };
    let seconds = match singular {
        "minute" => 60,
        "hour" => 60 * 60,
        "day" => 24 * 60 * 60,
        _ => return None,
    };
    let seconds = count.checked_mul(seconds)?;
    (seconds <= RATE_DAYS_MAX * 24 * 60 * 60).then(|| Duration::from_secs(seconds))
}

/// The six fields of AWS (minutes, hours, day of month, month, day of week, year) with the largest
/// value of each.
const FIELD_MAX: [&str; 6] = ["59", "23", "31", "12", "7", "2199"];
const DAY_OF_MONTH: usize = 2;
const DAY_OF_WEEK: usize = 4;

/// Parses with croner, after the two corrections that make its dialect AWS's: exactly one of the
/// two day fields is `?`, and `a/b` means "from a to the end in steps of b".
fn parse_cron(text: &str) -> Option<Cron> {
    let legal = |c: char| c.is_ascii_alphanumeric() || " *,-/?#".contains(c);
    let fields: Vec<&str> = text.split_ascii_whitespace().collect();
    let open = |i: usize| fields.get(i) == Some(&"?");
    let misplaced = |(i, field): (usize, &&str)| {
        field.contains('?') && (*field != "?" || (i != DAY_OF_MONTH && i != DAY_OF_WEEK))
    };
    if fields.len() != FIELD_MAX.len()
        || !text.chars().all(legal)
        || open(DAY_OF_MONTH) == open(DAY_OF_WEEK)
        || fields.iter().enumerate().any(misplaced)
    {
        return None;
    }
    let fields: Vec<String> =
        fields.iter().zip(FIELD_MAX).map(|(field, max)| open_steps(field, max)).collect();
    CronParser::builder()
        .seconds(Seconds::Required)
        .year(Year::Required)
        .alternative_weekdays(true)
        .build()
        .parse(&format!("0 {}", fields.join(" ")))
        .ok()
}

/// Rewrites `a/b` to `a-max/b` in every item of a field.
fn open_steps(field: &str, max: &str) -> String {
    let item = |item: &str| match item.split_once('/') {
        Some((from, step)) if !from.is_empty() && from != "*" && !from.contains('-') => {
            format!("{from}-{max}/{step}")
        }
        _ => item.to_owned(),
    };
    field.split(',').map(item).collect::<Vec<_>>().join(",")
}

/// Checks a rule's or target's name.
pub(crate) fn check_name(member: &'static str, name: &str) -> Result<(), Error> {
    if name.is_empty() {
        return Err(Error::constraint(
            member,
            name,
            "Member must have length greater than or equal to 1",
        ));
    }
    if name.len() > NAME_CHARS_MAX {
        let must = format!("Member must have length less than or equal to {NAME_CHARS_MAX}");
        return Err(Error::constraint(member, name, &must));
    }
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b)) {
        let must = r"Member must satisfy regular expression pattern: [\.\-_A-Za-z0-9]+";
        return Err(Error::constraint(member, name, must));
    }
    Ok(())
}

/// The event a schedule sends, as EventBridge writes it.
pub(crate) fn scheduled_event(id: &str, rule: &Arn, due: Time) -> String {
    json!({
        "version": "0",
        "id": id,
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": rule.account,
        "time": iso_seconds(due),
        "region": rule.region,
        "resources": [rule.to_string()],
        "detail": {},
    })
    .to_string()
}

fn iso_seconds(time: Time) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        let timestamp: Timestamp = text.parse().unwrap();
        Time::from_millis(u64::try_from(timestamp.as_millisecond()).unwrap())
    }

    /// The next three due times after a moment, the anchor of rates being that moment.
    fn check(expression: &str, after: &str, expected: [&str; 3]) {
        let schedule = Schedule::parse(expression).unwrap();
        let (anchor, mut last) = (at(after), at(after));
        for want in expected {
            last = schedule.next(anchor, last).unwrap();
            assert_eq!(iso_seconds(last), want, "{expression}");
        }
    }

    #[test]
    fn a_rate_counts_elapsed_time_from_its_anchor() {
        check(
            "rate(1 minute)",
            "2026-03-01T10:00:30Z",
            ["2026-03-01T10:01:30Z", "2026-03-01T10:02:30Z", "2026-03-01T10:03:30Z"],
        );
        check(
            "rate(7 days)",
            "2026-02-20T00:00:00Z",
            ["2026-02-27T00:00:00Z", "2026-03-06T00:00:00Z", "2026-03-13T00:00:00Z"],
        );
        let hourly = Schedule::parse("rate(1 hour)").unwrap();
        let anchor = at("2026-01-01T00:00:00Z");
        // Five hours asleep: the next one is on the grid, not an hour after waking.
        let next = hourly.next(anchor, at("2026-01-01T05:20:00Z")).unwrap();
        assert_eq!(next, at("2026-01-01T06:00:00Z"));
    }

    #[test]
    fn cron_has_the_dialect_of_aws() {
        check(
            "cron(0 10 * * ? *)",
            "2026-11-21T10:00:00Z",
            ["2026-11-22T10:00:00Z", "2026-11-23T10:00:00Z", "2026-11-24T10:00:00Z"],
        );
        check(
            "cron(0/20 8-9 ? * MON-FRI *)",
            "2026-11-20T09:30:00Z",
            ["2026-11-20T09:40:00Z", "2026-11-23T08:00:00Z", "2026-11-23T08:20:00Z"],
        );
        // 1 is Sunday, and `L` the last one of the month.
        check(
            "cron(15 12 ? * 1L *)",
            "2026-11-21T00:00:00Z",
            ["2026-11-29T12:15:00Z", "2026-12-27T12:15:00Z", "2027-01-31T12:15:00Z"],
        );
        check(
            "cron(0 0 L * ? *)",
            "2027-02-01T00:00:00Z",
            ["2027-02-28T00:00:00Z", "2027-03-31T00:00:00Z", "2027-04-30T00:00:00Z"],
        );
        check(
            "cron(0 9 ? * 2#1 *)",
            "2026-11-21T00:00:00Z",
            ["2026-12-07T09:00:00Z", "2027-01-04T09:00:00Z", "2027-02-01T09:00:00Z"],
        );
        check(
            "cron(30 6 15W * ? *)",
            "2026-11-01T00:00:00Z",
            ["2026-11-16T06:30:00Z", "2026-12-15T06:30:00Z", "2027-01-15T06:30:00Z"],
        );
        check(
            "cron(0 0 1 1/5 ? *)",
            "2026-01-01T00:00:00Z",
            ["2026-06-01T00:00:00Z", "2026-11-01T00:00:00Z", "2027-01-01T00:00:00Z"],
        );
    }

    #[test]
    fn a_schedule_can_come_to_its_end() {
        let schedule = Schedule::parse("cron(0 0 1 1 ? 2027)").unwrap();
        let only = schedule.next(Time::default(), at("2026-11-21T00:00:00Z")).unwrap();
        assert_eq!(only, at("2027-01-01T00:00:00Z"));
        assert_eq!(schedule.next(Time::default(), only), None);
        let never = Schedule::parse("cron(0 0 30 2 ? *)").unwrap();
        assert_eq!(never.next(Time::default(), only), None);
    }

    #[test]
    fn what_aws_refuses_is_refused() {
        for text in [
            "",
            "rate()",
            "rate(0 minutes)",
            "rate(-1 minutes)",
            "rate(1 minutes)",
            "rate(5 minute)",
            "rate(5 seconds)",
            "rate(5  minutes)",
            "rate(1.5 hours)",
            "rate(18446744073709551615 days)",
            "rate(5 minutes",
            "Rate(5 minutes)",
            "cron(0 10 * * * *)",
            "cron(0 10 ? * ? *)",
            "cron(0 10 * * ?)",
            "cron(0 0 10 * * ? *)",
            "cron(60 10 * * ? *)",
            "cron(? 10 * * ? *)",
            "cron(/10 10 * * ? *)",
            "cron(0 10 * * +? *)",
            "cron(@daily)",
            "cron(0 10 * * é *)",
            "at(2027-01-01T00:00:00)",
        ] {
            let refused = Schedule::parse(text).unwrap_err();
            assert!(matches!(refused, Error::ScheduleExpression), "{text}");
        }
        let long = format!("cron({} 10 * * ? *)", "1,".repeat(200));
        assert!(Schedule::parse(&long).is_err());
    }

    #[test]
    fn the_event_is_the_one_of_eventbridge() {
        let rule: Arn = "arn:aws:events:us-east-1:123456789012:rule/daily".parse().unwrap();
        let event = scheduled_event(
            "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
            &rule,
            at("2015-10-08T16:53:06Z"),
        );
        let expected = concat!(
            r#"{"version":"0","id":"53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa","#,
            r#""detail-type":"Scheduled Event","source":"aws.events","account":"123456789012","#,
            r#""time":"2015-10-08T16:53:06Z","region":"us-east-1","#,
            r#""resources":["arn:aws:events:us-east-1:123456789012:rule/daily"],"detail":{}}"#,
        );
        assert_eq!(event, expected);
    }
}
