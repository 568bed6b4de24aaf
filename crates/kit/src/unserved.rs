//! Refusing by name what AWS knows and we do not serve, so that nothing is silently ignored.

use serde_json::Value;

use crate::{Ctx, Error};

/// A member known to AWS and not served here, with what the request gave for it.
pub type Member<'a> = (&'static str, &'a Option<Value>);

/// Refuses the first member that says something. One that says nothing (`null`, `false`, an empty
/// text, list or object) asks for what happens anyway.
pub fn refuse(ctx: &Ctx, members: &[Member]) -> Result<(), Error> {
    for (name, given) in members {
        if given.as_ref().is_some_and(says_something) {
            let what = format_args!("{}.{} with {name}", ctx.service, ctx.operation);
            return Err(Error::not_served(what));
        }
    }
    Ok(())
}

fn says_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) | Value::Number(_) => true,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => items.iter().any(says_something),
        Value::Object(members) => members.values().any(says_something),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_shell_says_nothing() {
        for text in ["null", "false", r#""""#, "[]", "{}", r#"{"SubnetIds":[],"X":{"Y":null}}"#] {
            assert!(!says_something(&serde_json::from_str(text).unwrap()), "{text}");
        }
        for text in ["true", "0", r#""x""#, r#"{"SubnetIds":["subnet-1"]}"#] {
            assert!(says_something(&serde_json::from_str(text).unwrap()), "{text}");
        }
    }
}
