use serde_json::json;

use super::*;

fn text(data_type: &str, text: &str) -> Attribute {
    Attribute { data_type: data_type.to_owned(), value: Value::Text(text.to_owned()) }
}

/// A message with a little of everything.
fn attributes() -> BTreeMap<String, Attribute> {
    let binary = Attribute { data_type: "Binary".into(), value: Value::Binary(vec![1].into()) };
    [
        ("event", text("String", "OrderPaid")),
        ("digits", text("String", "42")),
        ("amount", text("Number", "42.50")),
        ("whole", text("Number.int", "7")),
        ("tags", text("String.Array", r#"["red", 5, true, null]"#)),
        ("broken", text("String.Array", "red")),
        ("ip", text("String", "10.0.0.77")),
        ("raw", binary),
    ]
    .map(|(name, attribute)| (name.to_owned(), attribute))
    .into()
}

#[test]
fn attributes_meet_what_is_asked_of_them() {
    for (policy, expected) in [
        (json!({}), true),
        (json!({"event": ["OrderPaid"]}), true),
        (json!({"event": ["OrderFailed", "OrderPaid"]}), true),
        (json!({"event": ["orderpaid"]}), false),
        (json!({"event": ["OrderPaid"], "absent": ["x"]}), false),
        (json!({"event": ["OrderPaid"], "amount": [42.5]}), true),
        (json!({"event": [{"prefix": "Order"}]}), true),
        (json!({"event": [{"prefix": "order"}]}), false),
        (json!({"event": [{"suffix": "Paid"}]}), true),
        (json!({"event": [{"suffix": "Failed"}]}), false),
        (json!({"event": [{"equals-ignore-case": "ORDERPAID"}]}), true),
        (json!({"event": [{"anything-but": "OrderPaid"}]}), false),
        (json!({"event": [{"anything-but": ["OrderFailed", "OrderLost"]}]}), true),
        (json!({"event": [{"anything-but": {"prefix": "Order"}}]}), false),
        (json!({"event": [{"anything-but": {"prefix": ["A", "B"]}}]}), true),
        (json!({"event": [{"anything-but": {"suffix": "Failed"}}]}), true),
        (json!({"absent": [{"anything-but": "x"}]}), false),
        (json!({"absent": [{"anything-but": "x"}, {"exists": false}]}), true),
        (json!({"event": [{"exists": true}]}), true),
        (json!({"event": [{"exists": false}]}), false),
        (json!({"absent": [{"exists": false}]}), true),
        (json!({"absent": [{"exists": true}]}), false),
        (json!({"digits": ["42"]}), true),
        (json!({"digits": [42]}), false),
        (json!({"amount": ["42.50"]}), false),
        (json!({"amount": [{"numeric": ["=", 42.5]}]}), true),
        (json!({"amount": [{"numeric": [">", 42, "<=", 42.5]}]}), true),
        (json!({"amount": [{"numeric": [">=", 42, "<", 42.5]}]}), false),
        (json!({"amount": [{"anything-but": [42.5, 1]}]}), false),
        (json!({"whole": [{"numeric": ["<", 8]}]}), true),
        (json!({"digits": [{"numeric": [">", 0]}]}), false),
        (json!({"tags": ["red"]}), true),
        (json!({"tags": ["green"]}), false),
        (json!({"tags": [5]}), true),
        (json!({"tags": [true]}), true),
        (json!({"tags": [null]}), true),
        (json!({"tags": [{"anything-but": "red"}]}), true),
        (json!({"broken": ["red"]}), false),
        (json!({"raw": [{"exists": true}]}), false),
        (json!({"ip": [{"cidr": "10.0.0.0/24"}]}), true),
        (json!({"ip": [{"cidr": "10.0.1.0/24"}]}), false),
        (json!({"ip": [{"cidr": "0.0.0.0/0"}]}), true),
        (json!({"ip": [{"cidr": "::/0"}]}), false),
        (json!({"$or": [{"event": ["x"]}, {"amount": [42.5]}]}), true),
        (json!({"$or": [{"event": ["x"]}, {"amount": [1]}]}), false),
        (json!({"event": ["x"], "$or": [{"whole": [7]}, {"amount": [42.5]}]}), false),
        (json!({"$or": [{"event": ["x"]}, {"$or": [{"ip": ["y"]}, {"digits": ["42"]}]}]}), true),
    ] {
        let parsed = Policy::parse(&policy.to_string(), Scope::MessageAttributes).unwrap();
        assert_eq!(parsed.wants(&attributes(), "x"), expected, "{policy}");
    }
}

#[test]
fn bodies_meet_what_is_asked_of_them() {
    let body = json!({
        "order": {"total": 101, "items": ["mug", "pot"], "paid": true, "note": null},
        "lines": [{"sku": "a", "count": 1}, {"sku": "b", "count": 2}],
    })
    .to_string();
    for (policy, expected) in [
        (json!({"order": {"total": [{"numeric": [">", 100]}]}}), true),
        (json!({"order": {"total": [101.0]}}), true),
        (json!({"order": {"items": ["mug"]}}), true),
        (json!({"order": {"items": ["cup"]}}), false),
        (json!({"order": {"paid": [true], "note": [null]}}), true),
        (json!({"order": {"paid": ["true"]}}), false),
        (json!({"order": {"absent": [{"exists": false}]}}), true),
        (json!({"none": {"absent": [{"exists": false}]}}), true),
        (json!({"none": {"absent": ["x"]}}), false),
        (json!({"lines": {"sku": ["b"], "count": [2]}}), true),
        (json!({"lines": {"sku": ["a"], "count": [2]}}), false),
        (json!({"order": {"$or": [{"total": [1]}, {"paid": [true]}]}}), true),
    ] {
        let parsed = Policy::parse(&policy.to_string(), Scope::MessageBody).unwrap();
        assert_eq!(parsed.wants(&BTreeMap::new(), &body), expected, "{policy}");
        for other in ["", "text", "[]", "1"] {
            assert!(!parsed.wants(&BTreeMap::new(), other), "{policy} on {other}");
        }
    }
}

#[test]
fn a_policy_that_is_none_is_refused_in_the_words_of_aws() {
    let five: Vec<u32> = (0..5).collect();
    let six: Vec<u32> = (0..6).collect();
    for (policy, expected) in [
        ("{".to_owned(), "failed to parse JSON."),
        ("[]".to_owned(), "failed to parse JSON."),
        (json!({"a": "text"}).to_string(), "\"a\" must be an object or an array"),
        (json!({"a": []}).to_string(), "Empty arrays are not allowed"),
        (
            json!({"a": [[1]]}).to_string(),
            "Match value must be String, number, true, false, or null",
        ),
        (json!({"a": [{"nonsense": 1}]}).to_string(), "Unrecognized match type nonsense"),
        (json!({"a": [{"prefix": 1}]}).to_string(), "prefix match pattern must be a string"),
        (
            json!({"a": [{"exists": "x"}]}).to_string(),
            "exists match pattern must be either true or false.",
        ),
        (json!({"a": [{"numeric": 5}]}).to_string(), "Value of numeric must be an array."),
        (json!({"a": [{"numeric": ["<", "x"]}]}).to_string(), "Value of < must be numeric"),
        (
            json!({"a": [{"numeric": ["~", 1]}]}).to_string(),
            "Unrecognized numeric range operator: ~",
        ),
        (json!({"a": [{"numeric": [">", 5, "<", 5]}]}).to_string(), "Bottom must be less than top"),
        (json!({"a": [{"numeric": ["<", 5, ">", 1]}]}).to_string(), "Bad numeric range operator"),
        (json!({"a": [2e9]}).to_string(), "Value 2000000000 must be between -1.0e9 and 1.0e9"),
        (json!({"a": [{"cidr": "10.0.0.0"}]}).to_string(), "Malformed CIDR, one '/' required"),
        (
            json!({"a": {"b": [1]}}).to_string(),
            "Filter policy scope MessageAttributes does not support nested filter policy",
        ),
        (
            json!({"a": [1], "b": [1], "c": [1], "d": [1], "e": [1], "f": [1]}).to_string(),
            "Filter policy can not have more than 5 keys",
        ),
        (json!({"a": six, "b": five, "c": six}).to_string(), "Filter policy is too complex"),
    ] {
        let fault = Policy::parse(&policy, Scope::MessageAttributes).unwrap_err();
        assert_eq!(fault, expected, "{policy}");
    }
    let most = json!({"a": six, "b": five, "c": five}).to_string();
    Policy::parse(&most, Scope::MessageAttributes).unwrap();
    // In a body the values of a key count as often as the key is deep.
    let nested = json!({"a": {"b": {"c": five}}, "d": {"e": five}}).to_string();
    Policy::parse(&nested, Scope::MessageBody).unwrap();
    let nested = json!({"a": {"b": {"c": six}}, "d": {"e": five}}).to_string();
    Policy::parse(&nested, Scope::MessageBody).unwrap_err();
}
