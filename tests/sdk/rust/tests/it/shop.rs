//! A table as applications use it: an index in pages, transactions and why they were cancelled,
//! documents in updates, a time to live.

use std::collections::{HashMap, HashSet};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::client::Waiters;
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, ConditionCheck, Get, GlobalSecondaryIndex,
    IndexStatus, KeySchemaElement, KeyType, Projection, ProjectionType, Put, ReturnValue,
    ReturnValuesOnConditionCheckFailure, ScalarAttributeType, TimeToLiveSpecification,
    TimeToLiveStatus, TransactGetItem, TransactWriteItem, Update,
};

use crate::dynamodb::{Item, client, item, n, put, s};
use crate::{WAIT, name, refused};

/// A table of orders by user, with an index by status, ready.
async fn orders(db: &Client) -> String {
    let name = name();
    let attribute = |name: &str, kind| {
        AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build().unwrap()
    };
    let part = |name: &str, kind| {
        KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap()
    };
    let index = GlobalSecondaryIndex::builder()
        .index_name("byStatus")
        .key_schema(part("status", KeyType::Hash))
        .key_schema(part("id", KeyType::Range))
        .projection(Projection::builder().projection_type(ProjectionType::All).build())
        .build()
        .unwrap();
    db.create_table()
        .table_name(&name)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute("user", ScalarAttributeType::S))
        .attribute_definitions(attribute("id", ScalarAttributeType::N))
        .attribute_definitions(attribute("status", ScalarAttributeType::S))
        .key_schema(part("user", KeyType::Hash))
        .key_schema(part("id", KeyType::Range))
        .global_secondary_indexes(index)
        .send()
        .await
        .unwrap();
    db.wait_until_table_exists().table_name(&name).wait(WAIT).await.unwrap();
    name
}

fn key(id: i32) -> Item {
    item([("user", s("ada")), ("id", n(id))])
}

fn order(id: i32, status: &str) -> Item {
    let mut order = key(id);
    order.insert("status".to_owned(), s(status));
    order
}

fn ids(items: &[Item]) -> Vec<i32> {
    items.iter().map(|item| item["id"].as_n().unwrap().parse().unwrap()).collect()
}

#[tokio::test]
async fn an_index_in_pages() {
    let db = client().await;
    let table = orders(&db).await;
    let described = db.describe_table().table_name(&table).send().await.unwrap().table.unwrap();
    let index = &described.global_secondary_indexes()[0];
    assert_eq!(index.index_status(), Some(&IndexStatus::Active));
    for id in 0..20 {
        put(&db, &table, order(id, ["open", "paid"][usize::try_from(id % 2).unwrap()])).await;
    }
    let query = db
        .query()
        .table_name(&table)
        .index_name("byStatus")
        .key_condition_expression("#s = :s AND id < :end")
        .filter_expression("attribute_not_exists(note)")
        .expression_attribute_names("#s", "status")
        .expression_attribute_values(":s", s("paid"))
        .expression_attribute_values(":end", n(15))
        .scan_index_forward(false);
    let page = query.clone().limit(3).send().await.unwrap();
    assert_eq!(ids(page.items()), [13, 11, 9]);
    let last: HashSet<&str> =
        page.last_evaluated_key().unwrap().keys().map(String::as_str).collect();
    assert_eq!(last, HashSet::from(["user", "id", "status"]));
    let all = query.into_paginator().page_size(3).items().send();
    let all = all.collect::<Result<Vec<Item>, _>>().await.unwrap();
    assert_eq!(ids(&all), [13, 11, 9, 7, 5, 3, 1]);
}

#[tokio::test]
async fn a_document_is_updated_in_its_depth() {
    let db = client().await;
    let table = orders(&db).await;
    let mut sent = order(1, "open");
    let line = |sku: &str| AttributeValue::M(item([("sku", s(sku)), ("count", n(1))]));
    sent.insert("basket".to_owned(), AttributeValue::L(vec![line("mug"), line("tea")]));
    sent.insert("tags".to_owned(), AttributeValue::Ss(vec!["x".to_owned()]));
    sent.insert("bytes".to_owned(), AttributeValue::B(Blob::new([0, 255])));
    put(&db, &table, sent).await;
    let update = db
        .update_item()
        .table_name(&table)
        .set_key(Some(key(1)))
        .update_expression("SET basket[1].#c = basket[1].#c + :n DELETE tags :x REMOVE #b")
        .condition_expression("size(#b) = :size AND contains(tags, :tag)")
        .expression_attribute_names("#c", "count")
        .expression_attribute_names("#b", "bytes")
        .expression_attribute_values(":n", n(2))
        .expression_attribute_values(":x", AttributeValue::Ss(vec!["x".to_owned()]))
        .expression_attribute_values(":size", n(2))
        .expression_attribute_values(":tag", s("x"))
        .return_values(ReturnValue::AllNew);
    let now = update.clone().send().await.unwrap().attributes.unwrap();
    let basket = now["basket"].as_l().unwrap();
    assert_eq!(basket[1].as_m().unwrap()["count"], n(3));
    assert!(!now.contains_key("tags") && !now.contains_key("bytes"), "{now:?}");
    let (error, _) = refused(update.send().await);
    assert!(error.is_conditional_check_failed_exception(), "{error:?}");
}

#[tokio::test]
async fn a_transaction_and_why_it_was_cancelled() {
    let db = client().await;
    let table = orders(&db).await;
    let new = |id| {
        let put = Put::builder().table_name(&table).set_item(Some(order(id, "open")));
        put.condition_expression("attribute_not_exists(id)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .unwrap()
    };
    let there = |id| {
        let check = ConditionCheck::builder().table_name(&table).set_key(Some(key(id)));
        check.condition_expression("attribute_exists(id)").build().unwrap()
    };
    let pay = |id| {
        let update = Update::builder().table_name(&table).set_key(Some(key(id)));
        update
            .update_expression("SET #s = :paid")
            .expression_attribute_names("#s", "status")
            .expression_attribute_values(":paid", s("paid"))
            .build()
            .unwrap()
    };
    let step = TransactWriteItem::builder;
    db.transact_write_items()
        .transact_items(step().put(new(1)).build())
        .transact_items(step().put(new(2)).build())
        .send()
        .await
        .unwrap();
    let second = db
        .transact_write_items()
        .transact_items(step().update(pay(2)).build())
        .transact_items(step().put(new(1)).build())
        .transact_items(step().condition_check(there(1)).build())
        .send();
    // Two actions on one item: refused before anything is looked at.
    let (error, status) = refused(second.await);
    assert_eq!((error.code(), status), (Some("ValidationException"), 400));

    let third = db
        .transact_write_items()
        .transact_items(step().update(pay(2)).build())
        .transact_items(step().put(new(1)).build())
        .transact_items(step().condition_check(there(9)).build())
        .send();
    let (error, status) = refused(third.await);
    assert_eq!(status, 400);
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = error else {
        panic!("another error: {error:?}");
    };
    let reasons = cancelled.cancellation_reasons();
    let codes: Vec<_> = reasons.iter().map(|reason| reason.code().unwrap()).collect();
    assert_eq!(codes, ["None", "ConditionalCheckFailed", "ConditionalCheckFailed"]);
    assert_eq!(reasons[1].message(), Some("The conditional request failed"));
    assert_eq!(reasons[1].item(), Some(&order(1, "open")));
    assert_eq!(reasons[2].item(), None);

    let get = |id| {
        let get = Get::builder().table_name(&table).set_key(Some(key(id))).build().unwrap();
        TransactGetItem::builder().get(get).build()
    };
    let request = db.transact_get_items().transact_items(get(2)).transact_items(get(9));
    let responses = request.send().await.unwrap().responses.unwrap();
    let found: Vec<Option<&Item>> = responses.iter().map(|response| response.item()).collect();
    assert_eq!(found, [Some(&order(2, "open")), None], "nothing of it was done");
}

#[tokio::test]
async fn a_transaction_is_done_once_for_its_token() {
    let db = client().await;
    let table = orders(&db).await;
    let add = Update::builder()
        .table_name(&table)
        .set_key(Some(key(1)))
        .update_expression("ADD hits :one")
        .expression_attribute_values(":one", n(1))
        .build()
        .unwrap();
    let request = db
        .transact_write_items()
        .client_request_token(name())
        .transact_items(TransactWriteItem::builder().update(add).build());
    for _ in 0..3 {
        request.clone().send().await.unwrap();
    }
    let read = db.get_item().table_name(&table).set_key(Some(key(1))).send().await.unwrap();
    let wanted: HashMap<_, _> = key(1).into_iter().chain([("hits".to_owned(), n(1))]).collect();
    assert_eq!(read.item, Some(wanted));
}

#[tokio::test]
async fn a_time_to_live() {
    let db = client().await;
    let table = orders(&db).await;
    let specification =
        TimeToLiveSpecification::builder().enabled(true).attribute_name("until").build().unwrap();
    db.update_time_to_live()
        .table_name(&table)
        .time_to_live_specification(specification)
        .send()
        .await
        .unwrap();
    let told = db.describe_time_to_live().table_name(&table).send().await.unwrap();
    let told = told.time_to_live_description.unwrap();
    assert_eq!(told.attribute_name(), Some("until"));
    let on = [TimeToLiveStatus::Enabled, TimeToLiveStatus::Enabling];
    assert!(on.contains(told.time_to_live_status().unwrap()), "{told:?}");
}
