use serde_json::{Value, json};

use crate::Machine;

/// Sort keys in the order in which they stand in the pages of a reply.
async fn all(machine: &Machine, operation: &str, mut input: Value) -> Vec<String> {
    let mut found = Vec::new();
    loop {
        let page = machine.call(operation, input.clone()).await.unwrap();
        let items = page["Items"].as_array().unwrap();
        assert_eq!(page["Count"], items.len());
        found.extend(items.iter().map(|item| {
            let [kind] = item["b"].as_object().unwrap().values().collect::<Vec<_>>()[..] else {
                panic!("one type")
            };
            kind.as_str().unwrap().to_owned()
        }));
        match page.get("LastEvaluatedKey") {
            Some(key) => input["ExclusiveStartKey"] = key.clone(),
            None => return found,
        }
    }
}

async fn filled(kind: &str, values: &[&str]) -> Machine {
    let machine = Machine::with_tables(kind).await;
    for value in values {
        let b = json!({ kind: value });
        machine.put("range", json!({ "a": { "S": "p" }, "b": b, "x": { "S": value } })).await;
        machine.put("range", json!({ "a": { "S": "other" }, "b": b })).await;
    }
    machine
}

#[tokio::test]
async fn key_conditions_select_ranges() {
    let machine = filled("S", &["a", "ab", "b", "b\u{0}", "ba", "c", "ü"]).await;
    let query = |condition: &str, values: &[&str]| {
        let mut given = json!({ ":p": { "S": "p" } });
        for (name, value) in [":x", ":y"].into_iter().zip(values) {
            given[name] = json!({ "S": value });
        }
        json!({
            "TableName": "range",
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": given,
        })
    };
    for (condition, values, wanted) in [
        ("a = :p", &[][..], &["a", "ab", "b", "b\u{0}", "ba", "c", "ü"][..]),
        ("a = :p AND b = :x", &["b"], &["b"]),
        (":p = a AND b < :x", &["b"], &["a", "ab"]),
        ("a = :p AND b <= :x", &["b"], &["a", "ab", "b"]),
        ("b > :x AND a = :p", &["b"], &["b\u{0}", "ba", "c", "ü"]),
        ("a = :p AND :x <= b", &["b"], &["b", "b\u{0}", "ba", "c", "ü"]),
        ("a = :p AND b BETWEEN :x AND :y", &["ab", "ba"], &["ab", "b", "b\u{0}", "ba"]),
        ("(a = :p) AND (begins_with(b, :x))", &["b"], &["b", "b\u{0}", "ba"]),
    ] {
        for (forward, limit) in [(true, 100), (true, 1), (false, 100), (false, 2)] {
            let mut input = query(condition, values);
            input["ScanIndexForward"] = json!(forward);
            input["Limit"] = json!(limit);
            let mut wanted: Vec<&str> = wanted.to_vec();
            if !forward {
                wanted.reverse();
            }
            assert_eq!(all(&machine, "Query", input).await, wanted, "{condition} {limit}");
        }
    }
}

#[tokio::test]
async fn numbers_are_in_their_order() {
    let values = ["-1000", "-1.5", "-1", "0", "0.001", "1", "1.5", "2", "10", "99999999999999999"];
    let machine = filled("N", &values).await;
    let input = json!({
        "TableName": "range",
        "KeyConditionExpression": "a = :p",
        "ExpressionAttributeValues": { ":p": { "S": "p" } },
    });
    assert_eq!(all(&machine, "Query", input).await, values);
}

#[tokio::test]
async fn a_filter_comes_after_the_page() {
    let machine = filled("S", &["a", "b", "c", "d"]).await;
    let input = json!({
        "TableName": "range",
        "KeyConditionExpression": "a = :p",
        "FilterExpression": "x > :b",
        "ProjectionExpression": "b",
        "ExpressionAttributeValues": { ":p": { "S": "p" }, ":b": { "S": "b" } },
        "Limit": 3,
        "ReturnConsumedCapacity": "TOTAL",
    });
    let capacity = json!({ "TableName": "range", "CapacityUnits": 0.5 });
    let wanted = json!({
        "Items": [{ "b": { "S": "c" } }],
        "Count": 1,
        "ScannedCount": 3,
        "LastEvaluatedKey": { "a": { "S": "p" }, "b": { "S": "c" } },
        "ConsumedCapacity": capacity,
    });
    machine.check("Query", input, wanted).await;
    let count = json!({ "TableName": "range", "Select": "COUNT" });
    machine.check("Scan", count, json!({ "Count": 8, "ScannedCount": 8 })).await;
}

#[tokio::test]
async fn a_page_ends_at_a_megabyte() {
    let machine = Machine::with_tables("S").await;
    for n in 0..30 {
        let item = json!({
            "a": { "S": "p" }, "b": { "S": format!("{n:02}") }, "x": { "S": "x".repeat(100_000) },
        });
        machine.put("range", item).await;
    }
    let input = json!({
        "TableName": "range",
        "KeyConditionExpression": "a = :p",
        "ExpressionAttributeValues": { ":p": { "S": "p" } },
    });
    let page = machine.call("Query", input.clone()).await.unwrap();
    assert_eq!(page["Count"], 11);
    assert_eq!(all(&machine, "Query", input).await.len(), 30);
    assert_eq!(all(&machine, "Scan", json!({ "TableName": "range" })).await.len(), 30);
}

#[tokio::test]
async fn segments_make_a_whole() {
    let machine = Machine::with_tables("S").await;
    for n in 0..200 {
        let n = n.to_string();
        machine.put("range", json!({ "a": { "S": n }, "b": { "S": n } })).await;
    }
    let mut found = Vec::new();
    for segment in 0..3 {
        let input = json!({
            "TableName": "range", "Segment": segment, "TotalSegments": 3, "Limit": 7,
        });
        let part = all(&machine, "Scan", input).await;
        assert!((30..120).contains(&part.len()), "{}", part.len());
        found.extend(part);
    }
    found.sort_by_key(|n| n.parse::<u32>().unwrap());
    assert_eq!(found, (0..200).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_no_query_is_refused() {
    let machine = Machine::with_tables("N").await;
    let query = |condition: &str, more: Value| {
        let mut input = json!({
            "TableName": "range",
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": { ":s": { "S": "s" }, ":n": { "N": "1" } },
        });
        let used = |name: &str| condition.contains(name);
        let values = input["ExpressionAttributeValues"].as_object_mut().unwrap();
        values.retain(|name, _| used(name));
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    let start = |key: Value| json!({ "ExclusiveStartKey": key });
    let none = || json!({});
    for (input, wanted) in [
        (
            json!({ "TableName": "range" }),
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in \
             the request.",
        ),
        (query("b = :n", none()), "Query condition missed key schema element: a"),
        (query("a = :s AND c = :n", none()), "Query condition missed key schema element: b"),
        (query("a > :s", none()), "Query key condition not supported"),
        (
            query("a = :n", none()),
            "One or more parameter values were invalid: Condition parameter type does not match \
             schema type",
        ),
        (
            query("a = :s", json!({ "IndexName": "index" })),
            "The table does not have the specified index: index",
        ),
        (
            query("a = :s", json!({ "FilterExpression": "b = :s" })),
            "Filter Expression can only contain non-primary key attributes: Primary key \
             attribute: b",
        ),
        (query("a = :s", start(json!({}))), "The provided starting key is invalid"),
        (
            query("a = :s", start(json!({ "a": { "S": "s" }, "b": { "S": "1" } }))),
            "The provided key element does not match the schema",
        ),
        (
            query("a = :s", start(json!({ "a": { "S": "t" }, "b": { "N": "1" } }))),
            "The provided starting key is outside query boundaries based on provided conditions",
        ),
        (
            query("a = :s AND b > :n", start(json!({ "a": { "S": "s" }, "b": { "N": "1" } }))),
            "The provided starting key does not match the range key predicate",
        ),
        (
            query("a = :s", start(json!({ "a": {} }))),
            "The provided starting key is invalid: Supplied AttributeValue is empty, must contain \
             exactly one of the supported datatypes",
        ),
    ] {
        machine.check_invalid("Query", input, wanted).await;
    }
}

#[tokio::test]
async fn what_is_no_scan_is_refused() {
    let machine = Machine::with_tables("N").await;
    let scan = |segment: Value| {
        let mut input = json!({ "TableName": "range" });
        input.as_object_mut().unwrap().extend(segment.as_object().unwrap().clone());
        input
    };
    for (segment, wanted) in [
        (
            json!({ "Segment": 1 }),
            "The TotalSegments parameter is required but was not present in the request when \
             Segment parameter is present",
        ),
        (
            json!({ "Segment": 1, "TotalSegments": 1 }),
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: \
             Segment: 1 is not less than TotalSegments: 1",
        ),
        (
            json!({ "Select": "SPECIFIC_ATTRIBUTES" }),
            "Must specify the AttributesToGet or ProjectionExpression when choosing to get \
             SPECIFIC_ATTRIBUTES",
        ),
    ] {
        machine.check_invalid("Scan", scan(segment), wanted).await;
    }
}
