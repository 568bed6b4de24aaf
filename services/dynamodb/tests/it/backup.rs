//! Backups, and tables restored from one or from a point in time.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::Machine;

async fn put(machine: &Machine, name: &str, value: &str) {
    machine.put("hash", json!({ "a": { "S": name }, "v": { "S": value } })).await;
}

async fn delete(machine: &Machine, name: &str) {
    let input = json!({ "TableName": "hash", "Key": { "a": { "S": name } } });
    machine.call("DeleteItem", input).await.unwrap();
}

/// What a table holds, by key; of long values only the length.
async fn contents(machine: &Machine, table: &str) -> BTreeMap<String, String> {
    let reply = machine.call("Scan", json!({ "TableName": table })).await.unwrap();
    let item = |item: &Value| {
        let value = item["v"]["S"].as_str().unwrap();
        let value = if value.len() > 100 { value.len().to_string() } else { value.to_owned() };
        (item["a"]["S"].as_str().unwrap().to_owned(), value)
    };
    assert!(reply["LastEvaluatedKey"].is_null());
    reply["Items"].as_array().unwrap().iter().map(item).collect()
}

async fn status(machine: &Machine, table: &str) -> Value {
    let reply = machine.call("DescribeTable", json!({ "TableName": table })).await.unwrap();
    reply["Table"]["TableStatus"].clone()
}

async fn restored(machine: &Machine, table: &str) -> BTreeMap<String, String> {
    machine.work_while(async || status(machine, table).await != "ACTIVE").await;
    contents(machine, table).await
}

async fn create_backup(machine: &Machine) -> String {
    let input = json!({ "TableName": "hash", "BackupName": "daily" });
    let reply = machine.call("CreateBackup", input).await.unwrap();
    let details = &reply["BackupDetails"];
    assert_eq!(details["BackupStatus"], "CREATING");
    details["BackupArn"].as_str().unwrap().to_owned()
}

async fn describe_backup(machine: &Machine, arn: &str) -> Value {
    let reply = machine.call("DescribeBackup", json!({ "BackupArn": arn })).await.unwrap();
    reply["BackupDescription"].clone()
}

async fn available(machine: &Machine, arn: &str) {
    let is_creating =
        async || describe_backup(machine, arn).await["BackupDetails"]["BackupStatus"] == "CREATING";
    machine.work_while(is_creating).await;
}

fn from_backup(arn: &str, target: &str) -> Value {
    json!({ "BackupArn": arn, "TargetTableName": target })
}

async fn recover(machine: &Machine, enabled: bool) -> Value {
    let specification = json!({ "PointInTimeRecoveryEnabled": enabled });
    let input = json!({ "TableName": "hash", "PointInTimeRecoverySpecification": specification });
    let reply = machine.call("UpdateContinuousBackups", input).await.unwrap();
    reply["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"].clone()
}

fn to_moment(at: u64, target: &str) -> Value {
    json!({ "SourceTableName": "hash", "TargetTableName": target, "RestoreDateTime": at })
}

#[tokio::test]
async fn a_backup_shows_the_table_as_it_was_when_it_was_asked_for() {
    let machine = Machine::with_tables("S").await;
    let mut wanted = BTreeMap::new();
    for n in 0..330 {
        put(&machine, &n.to_string(), "before").await;
        wanted.insert(n.to_string(), "before".to_owned());
    }
    let arn = create_backup(&machine).await;
    // Written before any of it is copied, and while it is.
    for n in 0..200 {
        put(&machine, &n.to_string(), "after").await;
        delete(&machine, &(n + 100).to_string()).await;
        put(&machine, &format!("new-{n}"), "after").await;
    }
    put(&machine, "0", "again").await;
    let busy = json!(format!("BackupInUseException: Backup is being created: {arn}"));
    machine.check("DeleteBackup", json!({ "BackupArn": arn }), busy).await;
    let used = "ResourceInUseException: Attempt to change a resource which is still in use: Table \
                is being used: hash";
    machine.check("DeleteTable", json!({ "TableName": "hash" }), json!(used)).await;
    available(&machine, &arn).await;
    let description = describe_backup(&machine, &arn).await;
    assert_eq!(description["SourceTableDetails"]["ItemCount"], 330);
    assert_eq!(description["SourceTableDetails"]["TableName"], "hash");
    assert_eq!(description["SourceTableFeatureDetails"], json!({}));
    // It outlives its table.
    machine.call("DeleteTable", json!({ "TableName": "hash" })).await.unwrap();
    machine.call("RestoreTableFromBackup", from_backup(&arn, "copy")).await.unwrap();
    assert_eq!(restored(&machine, "copy").await, wanted);
    machine.call("DeleteBackup", json!({ "BackupArn": arn })).await.unwrap();
    machine.call("DeleteTable", json!({ "TableName": "copy" })).await.unwrap();
    // The table `range` is all that is left: no item, no history, no blob.
    machine.work_until(1).await;
}

#[tokio::test]
async fn what_is_written_while_a_copy_is_made_is_not_in_it() {
    let machine = Machine::with_tables("S").await;
    let mut wanted = BTreeMap::new();
    for n in 0..400 {
        put(&machine, &n.to_string(), "before").await;
        wanted.insert(n.to_string(), "before".to_owned());
    }
    let arn = create_backup(&machine).await;
    let writes = async {
        for n in 0..400 {
            put(&machine, &n.to_string(), "after").await;
            if n % 3 == 0 {
                delete(&machine, &(399 - n).to_string()).await;
            }
            put(&machine, &format!("new-{n}"), "after").await;
        }
    };
    tokio::join!(available(&machine, &arn), writes);
    available(&machine, &arn).await;
    machine.call("RestoreTableFromBackup", from_backup(&arn, "copy")).await.unwrap();
    assert_eq!(restored(&machine, "copy").await, wanted);
}

#[tokio::test]
async fn a_table_is_restored_to_any_second() {
    let machine = Machine::with_tables("S").await;
    put(&machine, "first", "0").await;
    let status = recover(&machine, true).await;
    assert_eq!(status["PointInTimeRecoveryStatus"], "ENABLED");
    assert_eq!(status["RecoveryPeriodInDays"], 35);
    let start = machine.now();
    let mut moments = vec![(start, contents(&machine, "hash").await)];
    for n in 0..40u64 {
        machine.advance(1);
        put(&machine, &format!("item-{}", n % 7), &n.to_string()).await;
        if n % 5 == 0 {
            delete(&machine, &format!("item-{}", (n + 3) % 7)).await;
        }
        if n % 4 == 0 {
            put(&machine, "large", &"x".repeat(100_000 + usize::try_from(n).unwrap())).await;
        }
        let update = json!({
            "TableName": "hash",
            "Key": { "a": { "S": "updated" } },
            "UpdateExpression": "SET v = :v",
            "ExpressionAttributeValues": { ":v": { "S": n.to_string() } },
        });
        machine.call("UpdateItem", update).await.unwrap();
        moments.push((machine.now(), contents(&machine, "hash").await));
    }
    machine.advance(1);
    for (at, wanted) in moments.into_iter().step_by(6) {
        let name = format!("at-{at}");
        let reply = machine.call("RestoreTableToPointInTime", to_moment(at, &name)).await.unwrap();
        let summary = &reply["TableDescription"]["RestoreSummary"];
        assert_eq!(summary["RestoreInProgress"], true);
        assert_eq!(restored(&machine, &name).await, wanted, "{at}");
    }
    // The copies share the large item with the table and its history; each can go by itself.
    let before = contents(&machine, "hash").await;
    let names = machine.call("ListTables", json!({})).await.unwrap()["TableNames"].clone();
    for name in names.as_array().unwrap() {
        let name = name.as_str().unwrap();
        if name.starts_with("at-") {
            machine.call("DeleteTable", json!({ "TableName": name })).await.unwrap();
        }
    }
    recover(&machine, false).await;
    // Two tables and the items; then one of these goes with its blob.
    machine.work_until(2 + before.len()).await;
    assert_eq!(contents(&machine, "hash").await, before);
    assert_eq!(machine.blobs_held().await, 1);
    delete(&machine, "large").await;
    assert_eq!(machine.blobs_held().await, 0);
}

#[tokio::test]
async fn the_latest_moment_is_now() {
    let machine = Machine::with_tables("S").await;
    recover(&machine, true).await;
    put(&machine, "a", "old").await;
    let input = json!({
        "SourceTableName": "hash",
        "TargetTableName": "copy",
        "UseLatestRestorableTime": true,
        "BillingModeOverride": "PROVISIONED",
        "ProvisionedThroughputOverride": { "ReadCapacityUnits": 3, "WriteCapacityUnits": 4 },
    });
    let reply = machine.call("RestoreTableToPointInTime", input).await.unwrap();
    assert_eq!(reply["TableDescription"]["ProvisionedThroughput"]["WriteCapacityUnits"], 4);
    put(&machine, "a", "new").await;
    put(&machine, "b", "new").await;
    let wanted = BTreeMap::from([("a".to_owned(), "old".to_owned())]);
    assert_eq!(restored(&machine, "copy").await, wanted);
}

#[tokio::test]
async fn history_is_kept_for_its_days_only() {
    let machine = Machine::with_tables("S").await;
    let specification = json!({ "PointInTimeRecoveryEnabled": true, "RecoveryPeriodInDays": 2 });
    let input = json!({ "TableName": "hash", "PointInTimeRecoverySpecification": specification });
    machine.call("UpdateContinuousBackups", input).await.unwrap();
    let start = machine.now();
    for n in 0..250 {
        put(&machine, "a", &n.to_string()).await;
    }
    machine.advance(24 * 60 * 60);
    put(&machine, "a", "a day later").await;
    // Two tables, one item, and 251 times what it was.
    assert_eq!(machine.entries().await, 2 + 1 + 251 + 1);
    machine.advance(24 * 60 * 60 + 60);
    machine.work_until(2 + 1 + 1 + 1).await;
    let description = json!({ "TableName": "hash" });
    let reply = machine.call("DescribeContinuousBackups", description).await.unwrap();
    let description = &reply["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"];
    let earliest = description["EarliestRestorableDateTime"].as_f64().unwrap();
    assert!(earliest >= 60.0 + f64::from(u32::try_from(start).unwrap()), "{description}");
    let error = machine.call("RestoreTableToPointInTime", to_moment(start, "copy")).await;
    let error = error.unwrap_err();
    let wanted = "InvalidRestoreTimeException: RestoreDateTime '2023-11-14T22:13:20Z' must be \
                  within EarliestRestorableDateTime '2023-11-14T22:1";
    assert!(error.starts_with(wanted), "{error}");
}

#[tokio::test]
async fn a_table_that_is_being_restored_is_not_there_yet() {
    let machine = Machine::with_tables("S").await;
    put(&machine, "a", "old").await;
    let arn = create_backup(&machine).await;
    available(&machine, &arn).await;
    machine.call("RestoreTableFromBackup", from_backup(&arn, "copy")).await.unwrap();
    let described = machine.call("DescribeTable", json!({ "TableName": "copy" })).await.unwrap();
    assert_eq!(described["Table"]["TableStatus"], "CREATING");
    assert_eq!(described["Table"]["RestoreSummary"]["SourceBackupArn"], *arn);
    let key = json!({ "TableName": "copy", "Key": { "a": { "S": "a" } } });
    let in_use = "Attempt to change a resource which is still in use: Table is being";
    let definition = json!({
        "TableName": "copy",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{ "AttributeName": "a", "AttributeType": "S" }],
        "KeySchema": [{ "AttributeName": "a", "KeyType": "HASH" }],
    });
    let copy = json!({ "TableName": "copy" });
    let named = "ResourceNotFoundException: Requested resource not found: Table: copy not found";
    for (operation, input, wanted) in [
        ("GetItem", key, "ResourceNotFoundException: Requested resource not found".to_owned()),
        ("DeleteTable", copy.clone(), format!("ResourceInUseException: {in_use} created: copy")),
        ("CreateTable", definition, format!("ResourceInUseException: {in_use} used: copy")),
        ("DescribeTimeToLive", copy.clone(), named.to_owned()),
        (
            "DescribeContinuousBackups",
            copy,
            "TableNotFoundException: Table not found: copy".to_owned(),
        ),
        (
            "RestoreTableFromBackup",
            from_backup(&arn, "copy"),
            format!(
                "TableInUseException: Table: copy is already being restored from backup: {arn}"
            ),
        ),
        (
            "RestoreTableFromBackup",
            from_backup(&arn, "other"),
            format!("BackupInUseException: Backup is being used to restore another table: {arn}"),
        ),
        (
            "DeleteBackup",
            json!({ "BackupArn": arn }),
            format!("BackupInUseException: Backup is being used to restore table: {arn}"),
        ),
    ] {
        machine.check(operation, input, json!(wanted)).await;
    }
    assert_eq!(restored(&machine, "copy").await.len(), 1);
    let described = machine.call("DescribeTable", json!({ "TableName": "copy" })).await.unwrap();
    assert!(described["Table"]["RestoreSummary"].is_null());
    let exists = json!("TableAlreadyExistsException: Table already exists: copy");
    machine.check("RestoreTableFromBackup", from_backup(&arn, "copy"), exists).await;
}

#[tokio::test]
async fn backups_are_listed_in_pages() {
    let machine = Machine::with_tables("S").await;
    let mut arns = Vec::new();
    for _ in 0..3 {
        arns.push(create_backup(&machine).await);
        machine.advance(1);
    }
    let names = |reply: &Value| -> Vec<String> {
        let summaries = reply["BackupSummaries"].as_array().unwrap();
        summaries.iter().map(|s| s["BackupArn"].as_str().unwrap().to_owned()).collect()
    };
    let page = machine.call("ListBackups", json!({ "Limit": 2 })).await.unwrap();
    assert_eq!(names(&page), arns[..2]);
    assert_eq!(page["LastEvaluatedBackupArn"], *arns[1]);
    let rest = json!({ "ExclusiveStartBackupArn": arns[1], "TableName": "hash" });
    let page = machine.call("ListBackups", rest).await.unwrap();
    assert_eq!(names(&page), arns[2..]);
    assert!(page["LastEvaluatedBackupArn"].is_null());
    let first = json!({ "TimeRangeUpperBound": machine.now() - 2 });
    assert_eq!(names(&machine.call("ListBackups", first).await.unwrap()), arns[..1]);
    let last = json!({ "TimeRangeLowerBound": machine.now() - 1 });
    assert_eq!(names(&machine.call("ListBackups", last).await.unwrap()), arns[2..]);
    for none in [json!({ "TableName": "range" }), json!({ "BackupType": "SYSTEM" })] {
        assert!(names(&machine.call("ListBackups", none).await.unwrap()).is_empty());
    }
    available(&machine, &arns[0]).await;
    machine.call("DeleteBackup", json!({ "BackupArn": arns[0] })).await.unwrap();
    let gone = json!(format!("BackupNotFoundException: Backup not found: {}", arns[0]));
    machine.check("DescribeBackup", json!({ "BackupArn": arns[0] }), gone.clone()).await;
    machine.check("DeleteBackup", json!({ "BackupArn": arns[0] }), gone).await;
}

#[tokio::test]
async fn what_is_no_backup_is_refused() {
    let machine = Machine::with_tables("S").await;
    for (operation, input, wanted) in [
        (
            "CreateBackup",
            json!({ "TableName": "none", "BackupName": "daily" }),
            "TableNotFoundException: Table not found: none",
        ),
        (
            "CreateBackup",
            json!({ "TableName": "hash", "BackupName": "d" }),
            "ValidationException: 1 validation error detected: Value 'd' at 'backupName' failed \
             to satisfy constraint: Member must have length greater than or equal to 3",
        ),
        (
            "DescribeBackup",
            json!({ "BackupArn": "arn:aws:dynamodb:us-east-1:000000000000:table/hash" }),
            "ValidationException: Invalid Backup ARN",
        ),
        (
            "DescribeBackup",
            json!({ "BackupArn": "arn:aws:dynamodb:us-east-1:111111111111:table/hash/backup/1" }),
            "AccessDeniedException: Access is denied",
        ),
        (
            "UpdateContinuousBackups",
            json!({
                "TableName": "hash",
                "PointInTimeRecoverySpecification":
                    { "PointInTimeRecoveryEnabled": false, "RecoveryPeriodInDays": 3 },
            }),
            "ValidationException: Invalid Request: Cannot specify RecoveryPeriodInDays when \
             disabling point-in-time recovery.",
        ),
    ] {
        machine.check(operation, input, json!(wanted)).await;
    }
}

#[tokio::test]
async fn what_cannot_be_restored_is_refused() {
    let machine = Machine::with_tables("S").await;
    let now = machine.now();
    let moment = |more: Value| {
        let mut input = json!({ "SourceTableName": "hash", "TargetTableName": "copy" });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    let restore = "RestoreTableToPointInTime";
    let both = json!({ "RestoreDateTime": now, "UseLatestRestorableTime": true });
    for (operation, input, wanted) in [
        (
            restore,
            to_moment(now, "copy"),
            "PointInTimeRecoveryUnavailableException: Point in time recovery is not enabled for \
             table 'hash'",
        ),
        (
            restore,
            moment(json!({})),
            "ValidationException: Invalid Request: Either one of RestoreDateTime or \
             UseLatestRestorableTime must be specified, but not both",
        ),
        (
            restore,
            moment(both),
            "ValidationException: Invalid Request: Both RestoreDateTime and \
             UseLatestRestorableTime cannot be set for point-in-time restore request. Please set \
             only one of the two.",
        ),
        (
            restore,
            moment(json!({ "SourceTableName": "none", "RestoreDateTime": now })),
            "TableNotFoundException: Table not found: none",
        ),
        (
            restore,
            moment(json!({ "TargetTableName": "c;d" })),
            "ValidationException: 1 validation error detected: Value 'c;d' at 'targetTableName' \
             failed to satisfy constraint: Member must satisfy regular expression pattern: \
             [a-zA-Z0-9_.-]+",
        ),
    ] {
        machine.check(operation, input, json!(wanted)).await;
    }
    recover(&machine, true).await;
    let exists = json!("TableAlreadyExistsException: Table already exists: range");
    machine.check(restore, to_moment(now, "range"), exists).await;
}

#[tokio::test]
async fn a_restored_table_has_its_indexes() {
    let machine = Machine::new().await;
    let key = |name: &str, kind: &str| json!({ "AttributeName": name, "KeyType": kind });
    let definition = json!({
        "TableName": "hash",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            { "AttributeName": "a", "AttributeType": "S" },
            { "AttributeName": "v", "AttributeType": "S" },
        ],
        "KeySchema": [key("a", "HASH")],
        "GlobalSecondaryIndexes": [{
            "IndexName": "by-v",
            "KeySchema": [key("v", "HASH")],
            "Projection": { "ProjectionType": "ALL" },
        }],
    });
    machine.call("CreateTable", definition).await.unwrap();
    for n in 0..120 {
        put(&machine, &n.to_string(), if n % 2 == 0 { "even" } else { "odd" }).await;
    }
    let arn = create_backup(&machine).await;
    put(&machine, "later", "even").await;
    available(&machine, &arn).await;
    machine.call("RestoreTableFromBackup", from_backup(&arn, "copy")).await.unwrap();
    assert_eq!(restored(&machine, "copy").await.len(), 120);
    let input = json!({
        "TableName": "copy",
        "IndexName": "by-v",
        "KeyConditionExpression": "v = :v",
        "ExpressionAttributeValues": { ":v": { "S": "even" } },
    });
    let found = machine.call("Query", input).await.unwrap();
    assert_eq!(found["Count"], 60);
}
