//! The capacity of tables: provisioned, on demand, and how it changes.

use serde_json::{Value, json};

use crate::Machine;

async fn table(machine: &Machine, more: Value) -> Result<Value, String> {
    let mut input = json!({
        "TableName": "abc",
        "AttributeDefinitions": [{ "AttributeName": "a", "AttributeType": "S" }],
        "KeySchema": [{ "AttributeName": "a", "KeyType": "HASH" }],
    });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    machine.call("CreateTable", input).await
}

fn units(read: u64, write: u64) -> Value {
    json!({
        "TableName": "abc",
        "ProvisionedThroughput": { "ReadCapacityUnits": read, "WriteCapacityUnits": write },
    })
}

async fn described(machine: &Machine) -> Value {
    let reply = machine.call("DescribeTable", json!({ "TableName": "abc" })).await.unwrap();
    reply["Table"].clone()
}

#[tokio::test]
async fn capacity_goes_up_and_down() {
    let machine = Machine::new().await;
    table(&machine, units(5, 5)).await.unwrap();
    let start = machine.now();
    machine.advance(10);
    let raised = machine.call("UpdateTable", units(15, 15)).await.unwrap();
    let told = &raised["TableDescription"];
    assert_eq!(told["TableStatus"], "UPDATING");
    assert_eq!(told["ProvisionedThroughput"]["ReadCapacityUnits"], 5);
    let asked = told["ProvisionedThroughput"]["LastIncreaseDateTime"].as_f64().unwrap();
    assert!((asked - f64::from(u32::try_from(start + 10).unwrap())).abs() < 0.001);
    let now = described(&machine).await;
    assert_eq!(now["TableStatus"], "ACTIVE");
    assert_eq!(now["ProvisionedThroughput"]["WriteCapacityUnits"], 15);
    assert!(now["ProvisionedThroughput"]["LastIncreaseDateTime"].as_f64().unwrap() > asked);
    let same = "The provisioned throughput for the table will not change. The requested value \
                equals the current value. Current ReadCapacityUnits provisioned for the table: 15. \
                Requested ReadCapacityUnits: 15. Current WriteCapacityUnits provisioned for the \
                table: 15. Requested WriteCapacityUnits: 15. Refer to the Amazon DynamoDB \
                Developer Guide for current limits and how to request higher limits.";
    machine.check_invalid("UpdateTable", units(15, 15), same).await;
    for n in 1..=4 {
        let lowered = machine.call("UpdateTable", units(15 - n, 15)).await.unwrap();
        let told = &lowered["TableDescription"]["ProvisionedThroughput"];
        assert_eq!(told["NumberOfDecreasesToday"], n - 1);
        let now = described(&machine).await;
        assert_eq!(now["ProvisionedThroughput"]["NumberOfDecreasesToday"], n);
    }
    let error = machine.call("UpdateTable", units(1, 15)).await.unwrap_err();
    let wanted = "LimitExceededException: Subscriber limit exceeded: Provisioned throughput \
                  decreases are limited within a given UTC day. After the first 4 decreases, each \
                  subsequent decrease in the same UTC day can be performed at most once every 3600 \
                  seconds. Number of decreases today: 4. Last decrease at Tuesday, November 14, \
                  2023 10:13:30 PM UTC. Next decrease can be made at Tuesday, November 14, 2023 \
                  11:13:30 PM UTC";
    assert_eq!(error, wanted);
    machine.advance(3_601);
    machine.call("UpdateTable", units(1, 15)).await.unwrap();
    // Midnight has passed: a new day.
    machine.advance(3_600);
    machine.call("UpdateTable", units(1, 1)).await.unwrap();
    assert_eq!(described(&machine).await["ProvisionedThroughput"]["NumberOfDecreasesToday"], 1);
}

#[tokio::test]
async fn a_table_on_demand_has_a_maximum() {
    let machine = Machine::new().await;
    let on_demand = json!({
        "BillingMode": "PAY_PER_REQUEST",
        "OnDemandThroughput": { "MaxReadRequestUnits": 100 },
        "WarmThroughput": { "ReadUnitsPerSecond": 13_000 },
        "TableClass": "STANDARD_INFREQUENT_ACCESS",
    });
    table(&machine, on_demand).await.unwrap();
    let now = described(&machine).await;
    assert_eq!(now["OnDemandThroughput"], json!({ "MaxReadRequestUnits": 100 }));
    let warm =
        json!({ "ReadUnitsPerSecond": 13_000, "WriteUnitsPerSecond": 4_000, "Status": "ACTIVE" });
    assert_eq!(now["WarmThroughput"], warm);
    let change = |member: &str, value: Value| json!({ "TableName": "abc", member: value });
    let lifted = json!({ "MaxReadRequestUnits": -1, "MaxWriteRequestUnits": 50 });
    machine.call("UpdateTable", change("OnDemandThroughput", lifted)).await.unwrap();
    let now = described(&machine).await;
    assert_eq!(now["OnDemandThroughput"], json!({ "MaxWriteRequestUnits": 50 }));
    let invalid = "One or more parameter values were invalid: ";
    for (member, value, wanted) in [
        (
            "OnDemandThroughput",
            json!({ "MaxReadRequestUnits": 0 }),
            "Requested MaxReadRequestUnits for OnDemandThroughput for table is outside of valid \
             range",
        ),
        (
            "WarmThroughput",
            json!({ "ReadUnitsPerSecond": 12_999 }),
            "Requested ReadUnitsPerSecond for WarmThroughput for table is lower than current \
             WarmThroughput, decreasing WarmThroughput is not supported",
        ),
        (
            "ProvisionedThroughput",
            json!({ "ReadCapacityUnits": 1, "WriteCapacityUnits": 1 }),
            "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode \
             is PAY_PER_REQUEST",
        ),
        (
            "BillingMode",
            json!("PROVISIONED"),
            "ProvisionedThroughput must be specified when BillingMode is PROVISIONED",
        ),
        ("SSESpecification", json!({ "Enabled": false }), "Table is already encrypted by default"),
    ] {
        let wanted = format!("{invalid}{wanted}");
        machine.check_invalid("UpdateTable", change(member, value), &wanted).await;
    }
    let mut provisioned = units(5, 5);
    provisioned["BillingMode"] = json!("PROVISIONED");
    machine.call("UpdateTable", provisioned).await.unwrap();
    let now = described(&machine).await;
    assert_eq!(now["BillingModeSummary"]["BillingMode"], "PROVISIONED");
    assert!(now["OnDemandThroughput"].is_null());
    let wanted = "MaxReadRequestUnits for OnDemandThroughput cannot be specified when the table \
                  BillingMode is PROVISIONED";
    let maximum = change("OnDemandThroughput", json!({ "MaxReadRequestUnits": 5 }));
    machine.check_invalid("UpdateTable", maximum, &format!("{invalid}{wanted}")).await;
}

#[tokio::test]
async fn some_changes_are_made_alone() {
    let machine = Machine::new().await;
    table(&machine, units(5, 5)).await.unwrap();
    let invalid = "One or more parameter values were invalid: ";
    for (member, value, wanted) in [
        (
            "SSESpecification",
            json!({ "Enabled": true }),
            "Server-Side Encryption modification must be the only operation in the request",
        ),
        (
            "TableClass",
            json!("STANDARD"),
            "TableClass modification must be the only operation in the request",
        ),
        (
            "DeletionProtectionEnabled",
            json!(true),
            "DeletionProtection modification must be the only operation in the request",
        ),
        (
            "WarmThroughput",
            json!({ "ReadUnitsPerSecond": 1 }),
            "WarmThroughput must be the only operation in the request",
        ),
        (
            "OnDemandThroughput",
            json!({ "MaxReadRequestUnits": 1 }),
            "OnDemandThroughput can only be combined with BillingMode in an UpdateTable request",
        ),
    ] {
        let mut input = units(6, 6);
        input[member] = value;
        machine.check_invalid("UpdateTable", input, &format!("{invalid}{wanted}")).await;
    }
    let nothing = machine.call("UpdateTable", json!({ "TableName": "abc" })).await.unwrap_err();
    assert!(nothing.starts_with("ValidationException: At least one of "), "{nothing}");
    let high = "Given value 1000000000001 for ReadCapacityUnits is out of bounds";
    let mut input = units(1_000_000_000_001, 1);
    input["TableName"] = json!("none");
    machine.check_invalid("UpdateTable", input, high).await;
}

#[tokio::test]
async fn a_table_tells_what_it_is_ready_for() {
    let machine = Machine::new().await;
    let told = |read: u64, write: u64, status: &str| json!({ "ReadUnitsPerSecond": read, "WriteUnitsPerSecond": write, "Status": status });
    let mut input = units(5, 6);
    input["WarmThroughput"] = json!({ "ReadUnitsPerSecond": 1_000 });
    let made = table(&machine, input).await.unwrap();
    assert_eq!(made["TableDescription"]["WarmThroughput"], told(1_000, 6, "UPDATING"));
    assert_eq!(described(&machine).await["WarmThroughput"], told(1_000, 6, "ACTIVE"));
    // Not less than the capacity, of which nobody asks twice.
    machine.call("UpdateTable", units(5, 70)).await.unwrap();
    assert_eq!(described(&machine).await["WarmThroughput"], told(1_000, 70, "ACTIVE"));
    let warmer = json!({ "TableName": "abc", "WarmThroughput": { "WriteUnitsPerSecond": 100 } });
    machine.call("UpdateTable", warmer).await.unwrap();
    assert_eq!(described(&machine).await["WarmThroughput"], told(1_000, 100, "ACTIVE"));

    let machine = Machine::new().await;
    let made = table(&machine, json!({ "BillingMode": "PAY_PER_REQUEST" })).await.unwrap();
    assert!(made["TableDescription"]["WarmThroughput"].is_null());
    assert_eq!(described(&machine).await["WarmThroughput"], told(12_000, 4_000, "ACTIVE"));
}
