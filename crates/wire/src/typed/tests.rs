use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Deserialize;

use crate::{Input, Names};

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Shape {
    text: Option<String>,
    flag: Option<bool>,
    integer: Option<i32>,
    long: Option<i64>,
    list: Option<Vec<Inner>>,
    lists: Option<BTreeMap<String, Vec<Inner>>>,
    maps: Option<Vec<BTreeMap<String, String>>>,
    inner: Option<Inner>,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Inner {
    a: Option<String>,
}

fn decode(json: &str) -> Result<Shape, String> {
    let names = Names { json_namespace: "com.amazonaws.some#", ..Names::PLAIN };
    let input = Input::json10(Bytes::copy_from_slice(json.as_bytes()));
    input.decode(&names).map_err(|error| error.to_string())
}

#[test]
fn wrong_types_have_the_words_of_aws() {
    for (json, wanted) in [
        (r#"{"Text":true}"#, "TRUE_VALUE cannot be converted to String"),
        (r#"{"Text":34.5}"#, "DECIMAL_VALUE cannot be converted to String"),
        (r#"{"Text":[]}"#, "Unrecognized collection type class java.lang.String"),
        (r#"{"Text":{}}"#, super::NOT_HERE),
        (r#"{"Flag":"x"}"#, "Unexpected token received from parser"),
        (r#"{"Flag":-1}"#, "NUMBER_VALUE cannot be converted to Boolean"),
        (r#"{"Integer":"1"}"#, "STRING_VALUE cannot be converted to Integer"),
        (r#"{"Long":false}"#, "FALSE_VALUE cannot be converted to Long"),
        (r#"{"List":1}"#, "Unexpected field type"),
        (r#"{"List":{}}"#, super::NOT_HERE),
        (r#"{"List":["x"]}"#, "Unexpected value type in payload"),
        (r#"{"Inner":"x"}"#, "Unexpected field type"),
        (r#"{"Inner":[]}"#, "Unrecognized collection type class com.amazonaws.some.Inner"),
        (r#"{"List":[[]]}"#, "Unrecognized collection type class com.amazonaws.some.Inner"),
        (r#"{"Lists":{"x":1}}"#, super::CAST),
        (
            r#"{"Lists":[]}"#,
            "Unrecognized collection type java.util.Map<java.lang.String, \
             java.util.List<com.amazonaws.some.Inner>>",
        ),
        (
            r#"{"Maps":[[]]}"#,
            "Unrecognized collection type java.util.Map<java.lang.String, java.lang.String>",
        ),
    ] {
        assert_eq!(decode(json).unwrap_err(), wanted, "{json}");
    }
}

#[test]
fn what_only_looks_different_is_taken() {
    let json = r#"{"Flag":"YES","Integer":3.9,"Long":-0.5,"Text":null,"Other":[{}]}"#;
    let shape = decode(json).unwrap();
    assert_eq!((shape.flag, shape.integer, shape.long), (Some(true), Some(3), Some(-1)));
    assert!(shape.text.is_none() && shape.inner.is_none());
    let json = r#"{"Lists":{"k":[{"a":"x"}]},"List":[{"a":"y"}],"Maps":[{"b":"z"}]}"#;
    let shape = decode(json).unwrap();
    assert_eq!(shape.list.unwrap()[0].a.as_deref(), Some("y"));
    assert_eq!(shape.lists.unwrap()["k"], [Inner { a: Some("x".to_owned()) }]);
    assert_eq!(shape.maps.unwrap()[0]["b"], "z");
}

#[test]
fn what_is_not_json_is_refused_without_a_word() {
    for body in ["", "hi", "{", "{} {}", r#"{"Text":}"#] {
        assert_eq!(decode(body).unwrap_err(), "", "{body}");
    }
}
