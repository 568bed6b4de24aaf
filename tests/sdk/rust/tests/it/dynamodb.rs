//! Tables: typed items and errors, waiters, pages, batches, and many tasks on one client.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::client::Waiters;
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, DeleteRequest, KeySchemaElement, KeyType,
    KeysAndAttributes, PutRequest, ReturnValue, ReturnValuesOnConditionCheckFailure,
    ScalarAttributeType, Select, TableStatus, WriteRequest,
};
use tokio::task::JoinSet;

use crate::{WAIT, aws, name, refused};

pub(crate) type Item = HashMap<String, AttributeValue>;

pub(crate) async fn client() -> Client {
    Client::new(&aws().await)
}

pub(crate) fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

pub(crate) fn n(number: impl ToString) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

pub(crate) fn item<const N: usize>(attributes: [(&str, AttributeValue); N]) -> Item {
    attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn key(pk: &str, sk: i32) -> Item {
    item([("pk", s(pk)), ("sk", n(sk))])
}

/// A table with `pk` (text) and `sk` (number), ready.
async fn table(db: &Client) -> String {
    let name = name();
    let attribute = |name: &str, kind| {
        AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build().unwrap()
    };
    let part = |name: &str, kind| {
        KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap()
    };
    db.create_table()
        .table_name(&name)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute("pk", ScalarAttributeType::S))
        .attribute_definitions(attribute("sk", ScalarAttributeType::N))
        .key_schema(part("pk", KeyType::Hash))
        .key_schema(part("sk", KeyType::Range))
        .send()
        .await
        .unwrap();
    db.wait_until_table_exists().table_name(&name).wait(WAIT).await.unwrap();
    name
}

pub(crate) async fn put(db: &Client, table: &str, item: Item) {
    db.put_item().table_name(table).set_item(Some(item)).send().await.unwrap();
}

async fn get(db: &Client, table: &str, key: Item) -> Option<Item> {
    let request = db.get_item().table_name(table).set_key(Some(key)).consistent_read(true);
    request.send().await.unwrap().item
}

/// Puts `count` items with the sort keys 0, 1, 2, …, in batches as large as they may be.
async fn fill(db: &Client, table: &str, pk: &str, count: i32) {
    let puts: Vec<WriteRequest> = (0..count)
        .map(|sk| {
            let put = PutRequest::builder().set_item(Some(key(pk, sk))).build().unwrap();
            WriteRequest::builder().put_request(put).build()
        })
        .collect();
    for batch in puts.chunks(25) {
        let reply =
            db.batch_write_item().request_items(table, batch.to_vec()).send().await.unwrap();
        assert!(reply.unprocessed_items().is_none_or(HashMap::is_empty), "{reply:?}");
    }
}

fn sort_keys(items: &[Item]) -> Vec<i32> {
    items.iter().map(|item| item["sk"].as_n().unwrap().parse().unwrap()).collect()
}

#[tokio::test]
async fn a_table_is_made_described_listed_and_deleted() {
    let db = client().await;
    let table = table(&db).await;
    let described = db.describe_table().table_name(&table).send().await.unwrap().table.unwrap();
    assert_eq!(described.table_status(), Some(&TableStatus::Active));
    assert_eq!(
        described.table_arn(),
        Some(format!("arn:aws:dynamodb:us-east-1:000000000000:table/{table}").as_str()),
    );
    assert_eq!(described.key_schema().len(), 2);
    let billing = described.billing_mode_summary().and_then(|summary| summary.billing_mode());
    assert_eq!(billing, Some(&BillingMode::PayPerRequest));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    let made = described.creation_date_time().unwrap().as_secs_f64();
    assert!((now - made).abs() < 60.0, "made at {made}, now it is {now}");

    let pages = db.list_tables().into_paginator().page_size(1).items().send();
    let tables = pages.collect::<Result<Vec<String>, _>>().await.unwrap();
    assert!(tables.contains(&table));

    let again = db
        .create_table()
        .table_name(&table)
        .billing_mode(BillingMode::PayPerRequest)
        .set_attribute_definitions(described.attribute_definitions.clone())
        .set_key_schema(described.key_schema.clone())
        .send()
        .await;
    let (error, status) = refused(again);
    assert!(error.is_resource_in_use_exception() && status == 400, "{error:?}");

    db.delete_table().table_name(&table).send().await.unwrap();
    db.wait_until_table_not_exists().table_name(&table).wait(WAIT).await.unwrap();
    let (error, _) = refused(db.describe_table().table_name(&table).send().await);
    assert!(error.is_resource_not_found_exception(), "{error:?}");
    let words = format!("Requested resource not found: Table: {table} not found");
    assert_eq!(error.message(), Some(words.as_str()));
}

#[tokio::test]
async fn every_type_comes_back_as_it_was() {
    let db = client().await;
    let table = table(&db).await;
    let blob = |bytes: &[u8]| Blob::new(bytes);
    let mut sent = item([
        ("text", s("grüße 🛒")),
        ("empty", s("")),
        ("number", n("-1.5")),
        ("bytes", AttributeValue::B(blob(b"\x00\xff"))),
        ("yes", AttributeValue::Bool(true)),
        ("nothing", AttributeValue::Null(true)),
        ("list", AttributeValue::L(vec![s("a"), n(1), AttributeValue::L(vec![])])),
        ("map", AttributeValue::M(item([("deep", AttributeValue::M(item([("er", n(0))])))]))),
        // One value each: a set has no order.
        ("strings", AttributeValue::Ss(vec!["a".to_owned()])),
        ("numbers", AttributeValue::Ns(vec!["1".to_owned()])),
        ("blobs", AttributeValue::Bs(vec![blob(b"1")])),
    ]);
    sent.extend(key("all", 1));
    put(&db, &table, sent.clone()).await;
    assert_eq!(get(&db, &table, key("all", 1)).await, Some(sent));
    assert_eq!(get(&db, &table, key("all", 2)).await, None);
}

#[tokio::test]
async fn numbers_are_exact_to_38_digits() {
    let db = client().await;
    let table = table(&db).await;
    for number in [
        "12345678901234567890123456789012345678",
        "-99999999999999999999999999999999999999",
        "0.00000000000000000000000000000000000001",
        "1234567890123456789.0123456789012345678",
    ] {
        let mut sent = key("numbers", 1);
        sent.insert("n".to_owned(), n(number));
        put(&db, &table, sent).await;
        let found = get(&db, &table, key("numbers", 1)).await.unwrap();
        assert_eq!(found["n"], n(number));
    }
    // Added in the server, not by way of a float.
    let added = db
        .update_item()
        .table_name(&table)
        .set_key(Some(key("numbers", 2)))
        .update_expression("SET n = :a + :b")
        .expression_attribute_values(":a", n("12345678901234567890123456789012345677"))
        .expression_attribute_values(":b", n(1))
        .return_values(ReturnValue::UpdatedNew)
        .send()
        .await
        .unwrap();
    let attributes = added.attributes.unwrap();
    assert_eq!(attributes["n"], n("12345678901234567890123456789012345678"));

    let mut long = key("numbers", 3);
    long.insert("n".to_owned(), n("1".repeat(39)));
    let (error, status) =
        refused(db.put_item().table_name(&table).set_item(Some(long)).send().await);
    // The model of the SDK has no variant for it; the code is how one knows.
    assert_eq!((error.code(), status), (Some("ValidationException"), 400));
}

#[tokio::test]
async fn a_condition_that_fails_is_a_typed_error_with_the_item() {
    let db = client().await;
    let table = table(&db).await;
    let mut first = key("p", 1);
    first.insert("version".to_owned(), n(1));
    put(&db, &table, first.clone()).await;

    let second = db
        .put_item()
        .table_name(&table)
        .set_item(Some(key("p", 1)))
        .condition_expression("attribute_not_exists(pk)")
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .send()
        .await;
    let (error, status) = refused(second);
    assert_eq!(status, 400);
    let PutItemError::ConditionalCheckFailedException(failed) = error else {
        panic!("another error: {error:?}");
    };
    assert_eq!(failed.message(), Some("The conditional request failed"));
    assert_eq!(failed.item(), Some(&first));

    let update = db
        .update_item()
        .table_name(&table)
        .set_key(Some(key("p", 1)))
        .update_expression("SET #v = #v + :one")
        .condition_expression("#v = :expected")
        .expression_attribute_names("#v", "version")
        .expression_attribute_values(":one", n(1))
        .return_values(ReturnValue::AllNew);
    let stale = update.clone().expression_attribute_values(":expected", n(7)).send().await;
    let (error, _) = refused(stale);
    let UpdateItemError::ConditionalCheckFailedException(failed) = error else {
        panic!("another error: {error:?}");
    };
    assert_eq!(failed.item(), None);

    let updated = update.expression_attribute_values(":expected", n(1)).send().await.unwrap();
    first.insert("version".to_owned(), n(2));
    assert_eq!(updated.attributes, Some(first));
}

#[tokio::test]
async fn a_query_and_a_scan_in_pages() {
    let db = client().await;
    let table = table(&db).await;
    fill(&db, &table, "p", 30).await;
    fill(&db, &table, "other", 2).await;
    let query = db
        .query()
        .table_name(&table)
        .key_condition_expression("pk = :p AND sk BETWEEN :low AND :high")
        .expression_attribute_values(":p", s("p"))
        .expression_attribute_values(":low", n(2))
        .expression_attribute_values(":high", n(11));

    let mut pages = query.clone().into_paginator().page_size(4).send();
    let mut counts = Vec::new();
    while let Some(page) = pages.next().await {
        counts.push(page.unwrap().count());
    }
    assert_eq!(counts, [4, 4, 2]);

    let items = query.clone().into_paginator().page_size(3).items().send();
    let items = items.collect::<Result<Vec<Item>, _>>().await.unwrap();
    assert_eq!(sort_keys(&items), (2..=11).collect::<Vec<_>>());

    let last = query.clone().scan_index_forward(false).limit(1).send().await.unwrap();
    assert_eq!(sort_keys(last.items()), [11]);
    assert_eq!(last.last_evaluated_key(), Some(&key("p", 11)));

    let counted = query.select(Select::Count).send().await.unwrap();
    assert_eq!((counted.count(), counted.items.is_none()), (10, true));

    let scan = db
        .scan()
        .table_name(&table)
        .filter_expression("sk < :two")
        .expression_attribute_values(":two", n(2));
    let scanned = scan.into_paginator().page_size(7).items().send();
    let scanned = scanned.collect::<Result<Vec<Item>, _>>().await.unwrap();
    assert_eq!(scanned.len(), 4, "{scanned:?}");
}

#[tokio::test]
async fn a_batch_is_written_read_and_deleted() {
    let db = client().await;
    let table = table(&db).await;
    fill(&db, &table, "p", 25).await;
    let mut keys = KeysAndAttributes::builder().consistent_read(true);
    for sk in 0..30 {
        keys = keys.keys(key("p", sk));
    }
    let read = db.batch_get_item().request_items(&table, keys.build().unwrap());
    let reply = read.clone().send().await.unwrap();
    let mut found = sort_keys(&reply.responses().unwrap()[&table]);
    found.sort_unstable();
    assert_eq!(found, (0..25).collect::<Vec<_>>());
    assert!(reply.unprocessed_keys().is_none_or(HashMap::is_empty));

    let deletes = (1..25).map(|sk| {
        let delete = DeleteRequest::builder().set_key(Some(key("p", sk))).build().unwrap();
        WriteRequest::builder().delete_request(delete).build()
    });
    db.batch_write_item().request_items(&table, deletes.collect()).send().await.unwrap();
    let reply = read.send().await.unwrap();
    assert_eq!(sort_keys(&reply.responses().unwrap()[&table]), [0]);

    let deleted = db
        .delete_item()
        .table_name(&table)
        .set_key(Some(key("p", 0)))
        .return_values(ReturnValue::AllOld)
        .send()
        .await
        .unwrap();
    assert_eq!(deleted.attributes, Some(key("p", 0)));
    assert_eq!(get(&db, &table, key("p", 0)).await, None);
}

#[tokio::test]
async fn tasks_that_share_a_client_lose_no_update() {
    let db = client().await;
    let table = table(&db).await;
    let mut tasks = JoinSet::new();
    for _ in 0..16 {
        let add = db
            .update_item()
            .table_name(&table)
            .set_key(Some(key("p", 1)))
            .update_expression("ADD hits :one")
            .expression_attribute_values(":one", n(1));
        tasks.spawn(async move {
            for _ in 0..10 {
                add.clone().send().await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(get(&db, &table, key("p", 1)).await.unwrap()["hits"], n(160));
}
