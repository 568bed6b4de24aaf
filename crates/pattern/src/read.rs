//! From JSON to a pattern, with the complaints of AWS.

use serde_json::{Map, Value as Json};

use crate::network::Network;
use crate::{Compare, Dialect, Literal, Node, Test};

type Result<T> = std::result::Result<T, String>;

pub(crate) fn object(members: &Map<String, Json>, dialect: &Dialect) -> Result<Node> {
    let read = |(key, value): (&String, &Json)| {
        let node = match value {
            Json::Array(items) if key == "$or" && is_alternatives(items) => {
                let objects = items.iter().filter_map(Json::as_object);
                Node::Or(objects.map(|members| object(members, dialect)).collect::<Result<_>>()?)
            }
            Json::Array(tests) => values(tests, dialect)?,
            Json::Object(members) => match dialect.flat {
                Some(complaint) => return Err(complaint.to_owned()),
                None if members.is_empty() => {
                    return Err("Empty objects are not allowed".to_owned());
                }
                None => object(members, dialect)?,
            },
            _ => return Err(format!("\"{key}\" must be an object or an array")),
        };
        Ok((key.clone(), node))
    };
    Ok(Node::All(members.iter().map(read).collect::<Result<_>>()?))
}

/// A key that happens to be called `$or` has values; alternatives are at least two objects that
/// are no values.
fn is_alternatives(items: &[Json]) -> bool {
    let is_one = |item: &Json| {
        item.as_object().is_some_and(|members| {
            !members.is_empty() && !members.keys().any(|key| OPERATORS.contains(&key.as_str()))
        })
    };
    items.len() >= 2 && items.iter().all(is_one)
}

const OPERATORS: [&str; 7] =
    ["anything-but", "cidr", "equals-ignore-case", "exists", "numeric", "prefix", "suffix"];

fn values(items: &[Json], dialect: &Dialect) -> Result<Node> {
    if items.is_empty() {
        return Err("Empty arrays are not allowed".into());
    }
    Ok(Node::Any(items.iter().map(|item| value(item, dialect)).collect::<Result<_>>()?))
}

fn value(item: &Json, dialect: &Dialect) -> Result<Test> {
    let Json::Object(members) = item else { return literal(item, dialect).map(Test::Equal) };
    let mut members = members.iter();
    let (Some((operator, wanted)), None) = (members.next(), members.next()) else {
        return Err("Only one key allowed in match expression".into());
    };
    let text = || match wanted {
        Json::String(text) => Ok(text.clone()),
        _ => Err(format!("{operator} match pattern must be a string")),
    };
    match operator.as_str() {
        "anything-but" => anything_but(wanted, dialect),
        "cidr" => {
            let network = Network::parse(&text()?);
            network.map(Test::Cidr).ok_or_else(|| "Malformed CIDR, one '/' required".to_owned())
        }
        "equals-ignore-case" => text().map(Test::IgnoreCase),
        "exists" => match wanted {
            Json::Bool(wanted) => Ok(Test::Exists(*wanted)),
            _ => Err("exists match pattern must be either true or false.".into()),
        },
        "numeric" => numeric(wanted, dialect),
        "prefix" => text().map(Test::Prefix),
        "suffix" => text().map(Test::Suffix),
        _ => Err(format!("Unrecognized match type {operator}")),
    }
}

fn literal(item: &Json, dialect: &Dialect) -> Result<Literal> {
    let literal = Literal::of(item)
        .ok_or_else(|| "Match value must be String, number, true, false, or null".to_owned())?;
    if let Literal::Number(number) = literal {
        check_number(number, dialect)?;
    }
    Ok(literal)
}

fn check_number(number: f64, dialect: &Dialect) -> Result<()> {
    let max = dialect.number_max;
    if (-max..=max).contains(&number) {
        return Ok(());
    }
    // As Java writes it: 1.0e9.
    let power = max.log10().floor();
    let max = format!("{:.1}e{power}", max / 10f64.powf(power));
    Err(format!("Value {number} must be between -{max} and {max}"))
}

fn anything_but(unwanted: &Json, dialect: &Dialect) -> Result<Test> {
    if let Json::Object(members) = unwanted {
        let mut members = members.iter();
        let (Some((operator, affix)), None) = (members.next(), members.next()) else {
            return Err("Only one key allowed in match expression".into());
        };
        return match operator.as_str() {
            "prefix" => texts(operator, affix).map(Test::AnythingButPrefix),
            "suffix" => texts(operator, affix).map(Test::AnythingButSuffix),
            _ => Err(format!("Unsupported anything-but pattern: {operator}")),
        };
    }
    let items = match unwanted {
        Json::Array(items) if items.is_empty() => {
            return Err("Empty arrays are not allowed".into());
        }
        Json::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    Ok(Test::AnythingBut(items.iter().map(|item| literal(item, dialect)).collect::<Result<_>>()?))
}

/// One text or several.
fn texts(operator: &str, given: &Json) -> Result<Vec<String>> {
    let items = match given {
        Json::Array(items) if !items.is_empty() => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    let texts: Option<Vec<String>> =
        items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
    texts.ok_or_else(|| format!("{operator} match pattern must be a string"))
}

/// `["=", 5]`, `[">", 0]`, or a range `[">=", 0, "<", 100]`.
fn numeric(wanted: &Json, dialect: &Dialect) -> Result<Test> {
    let Json::Array(items) = wanted else {
        return Err("Value of numeric must be an array.".into());
    };
    if !matches!(items.len(), 2 | 4) {
        return Err(if items.is_empty() {
            "Invalid member in numeric match: ]".to_owned()
        } else {
            "Too many elements in numeric expression".to_owned()
        });
    }
    let mut bounds = Vec::with_capacity(2);
    for pair in items.chunks_exact(2) {
        let compare = match pair[0].as_str() {
            Some("=") => Compare::Equal,
            Some("<") => Compare::Below,
            Some("<=") => Compare::AtMost,
            Some(">") => Compare::Above,
            Some(">=") => Compare::AtLeast,
            Some(other) => return Err(format!("Unrecognized numeric range operator: {other}")),
            None => return Err(format!("Invalid member in numeric match: {}", pair[0])),
        };
        let Some(bound) = pair[1].as_f64() else {
            let operator = pair[0].as_str().unwrap_or_default();
            return Err(format!("Value of {operator} must be numeric"));
        };
        check_number(bound, dialect)?;
        bounds.push((compare, bound));
    }
    if let [(low, bottom), (high, top)] = bounds[..] {
        let from = matches!(low, Compare::Above | Compare::AtLeast);
        let to = matches!(high, Compare::Below | Compare::AtMost);
        if !from || !to {
            return Err("Bad numeric range operator".into());
        }
        if bottom >= top {
            return Err("Bottom must be less than top".into());
        }
    }
    Ok(Test::Numeric(bounds))
}
