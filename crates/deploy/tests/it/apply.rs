//! What a deploy does to a machine.

use std::path::Path;
use std::time::Duration;

use deploy::Options;

use crate::machine::Fake;

const QUEUES: &str = "
Resources:
  Work:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: work
      VisibilityTimeout: '4'
      RedrivePolicy: { deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3 }
  Dead: { Type: AWS::SQS::Queue }
Outputs:
  Url: { Value: !Ref Work }
  Name: { Value: !Sub '${AWS::StackName}/${Work.QueueName}' }
";

const FUNCTION: &str = "
Resources:
  PayLambdaFunction:
    Type: AWS::Lambda::Function
    Properties:
      Code: { Asset: pay }
      FunctionName: pay
      Handler: pay.handler
      Runtime: nodejs20.x
      Role: arn:aws:iam::000000000000:role/r
      Timeout: 6
      Environment: { Variables: { LIMIT: 5 } }
";

/// Applies a template and compares the calls.
async fn check(fake: &Fake, template: &str, calls: &str) {
    let result = fake.apply(template).await;
    assert_eq!(fake.calls().trim(), calls.trim(), "{result:?}");
    result.unwrap();
}

fn called(fake: &Fake, calls: &str) {
    assert_eq!(fake.calls().trim(), calls.trim());
}

async fn refused(fake: &Fake, template: &str, expected: &str) {
    let error = fake.apply(template).await.unwrap_err();
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn resources_are_made_after_what_they_need() {
    let fake = Fake::new().await;
    let result = fake.apply(QUEUES).await.unwrap();
    called(
        &fake,
        r#"
sqs.CreateQueue
  QueueName: shop-Dead-9C42526D6A19
  Attributes: {}
sqs.CreateQueue
  QueueName: work
  Attributes.VisibilityTimeout: 4
  Attributes.RedrivePolicy: {"deadLetterTargetArn":"…shop-Dead-9C42526D6A19","maxReceiveCount":3}
"#,
    );
    assert_eq!(
        format!("{:?}", result.outputs),
        r#"[("Url", "http://localhost:4566/000000000000/work"), ("Name", "shop/work")]"#
    );
    // Nothing has changed, so nothing is done.
    check(&fake, QUEUES, "").await;
}

#[tokio::test]
async fn a_change_is_made_in_place() {
    let fake = Fake::new().await;
    fake.apply(QUEUES).await.unwrap();
    fake.calls();
    check(
        &fake,
        &QUEUES.replace("'4'", "9"),
        r#"
sqs.SetQueueAttributes
  QueueUrl: http://localhost:4566/000000000000/work
  Attributes.VisibilityTimeout: 9
"#,
    )
    .await;
    check(
        &fake,
        &QUEUES.replace("      VisibilityTimeout: '4'\n", ""),
        r#"
sqs.SetQueueAttributes
  QueueUrl: http://localhost:4566/000000000000/work
  Attributes.VisibilityTimeout: 30
"#,
    )
    .await;
}

#[tokio::test]
async fn numbers_and_capacity_of_a_table() {
    let fake = Fake::new().await;
    let table = "
Resources:
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: orders
      KeySchema: [{ AttributeName: PK, KeyType: HASH }]
      BillingMode: PROVISIONED
      ProvisionedThroughput: { ReadCapacityUnits: '5', WriteCapacityUnits: 5 }
";
    fake.apply(table).await.unwrap();
    let calls = fake.calls();
    assert!(calls.contains("ProvisionedThroughput.ReadCapacityUnits: 5\n"), "{calls}");
    let on_demand = table.replace("PROVISIONED", "PAY_PER_REQUEST");
    let throughput = on_demand.find("      ProvisionedThroughput").unwrap();
    check(
        &fake,
        &on_demand[..throughput],
        "
dynamodb.UpdateTable
  BillingMode: PAY_PER_REQUEST
  TableName: orders
",
    )
    .await;
}

const TABLE: &str = "
Resources:
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: orders
      KeySchema: [{ AttributeName: PK, KeyType: HASH }]
      BillingMode: PAY_PER_REQUEST
      TableClass: STANDARD_INFREQUENT_ACCESS
      TimeToLiveSpecification: { AttributeName: until, Enabled: 'true' }
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true, RecoveryPeriodInDays: '7' }
      SSESpecification: { SSEEnabled: true }
      Tags: [{ Key: team, Value: shop }, { Key: stage, Value: dev }]
";

#[tokio::test]
async fn what_a_table_has_besides_its_items() {
    let fake = Fake::new().await;
    let table = TABLE;
    check(
        &fake,
        table,
        "
dynamodb.CreateTable
  KeySchema: [{\"AttributeName\":\"PK\",\"KeyType\":\"HASH\"}]
  TableClass: STANDARD_INFREQUENT_ACCESS
  Tags: [{\"Key\":\"team\",\"Value\":\"shop\"},{\"Key\":\"stage\",\"Value\":\"dev\"}]
  BillingMode: PAY_PER_REQUEST
  TableName: orders
  SSESpecification.Enabled: true
dynamodb.UpdateTimeToLive
  TableName: orders
  TimeToLiveSpecification.Enabled: true
  TimeToLiveSpecification.AttributeName: until
dynamodb.UpdateContinuousBackups
  TableName: orders
  PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled: true
  PointInTimeRecoverySpecification.RecoveryPeriodInDays: 7
",
    )
    .await;
    let changed = table
        .replace("STANDARD_INFREQUENT_ACCESS", "STANDARD")
        .replace("Enabled: 'true'", "Enabled: false")
        .replace("RecoveryPeriodInDays: '7'", "RecoveryPeriodInDays: 3")
        .replace("      SSESpecification: { SSEEnabled: true }\n", "")
        .replace(
            "{ Key: team, Value: shop }, { Key: stage, Value: dev }",
            "{ Key: stage, Value: live }",
        );
    check(
        &fake,
        &changed,
        "
dynamodb.UpdateTable
  TableClass: STANDARD
  TableName: orders
dynamodb.UpdateTable
  SSESpecification.Enabled: false
  TableName: orders
dynamodb.UpdateTimeToLive
  TableName: orders
  TimeToLiveSpecification.Enabled: false
  TimeToLiveSpecification.AttributeName: until
dynamodb.UpdateContinuousBackups
  TableName: orders
  PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled: true
  PointInTimeRecoverySpecification.RecoveryPeriodInDays: 3
dynamodb.UntagResource
  ResourceArn: arn:aws:dynamodb:us-east-1:000000000000:table/orders
  TagKeys: [\"team\"]
dynamodb.TagResource
  ResourceArn: arn:aws:dynamodb:us-east-1:000000000000:table/orders
  Tags: [{\"Key\":\"stage\",\"Value\":\"live\"}]
",
    )
    .await;
}

const INDEXED: &str = "
Resources:
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: orders
      KeySchema: [{ AttributeName: PK, KeyType: HASH }]
      AttributeDefinitions:
        [{ AttributeName: PK, AttributeType: S }, { AttributeName: day, AttributeType: S }]
      ProvisionedThroughput: { ReadCapacityUnits: 1, WriteCapacityUnits: 1 }
      GlobalSecondaryIndexes:
        - IndexName: byDay
          KeySchema: [{ AttributeName: day, KeyType: HASH }]
          Projection: { ProjectionType: ALL }
          ProvisionedThroughput: { ReadCapacityUnits: '1', WriteCapacityUnits: 1 }
";

#[tokio::test]
async fn the_indexes_of_a_table() {
    let fake = Fake::new().await;
    let key = r#"[{"AttributeName":"PK","KeyType":"HASH"}]"#;
    let by_day = r#"[{"IndexName":"byDay","KeySchema":[{"AttributeName":"day","KeyType":"HASH"}],"Projection":{"ProjectionType":"ALL"},"ProvisionedThroughput":{"ReadCapacityUnits":1,"WriteCapacityUnits":1}}]"#;
    let attributes = r#"[{"AttributeName":"PK","AttributeType":"S"},{"AttributeName":"day","AttributeType":"S"}]"#;
    let made = format!(
        "
dynamodb.CreateTable
  AttributeDefinitions: {attributes}
  KeySchema: {key}
  ProvisionedThroughput.ReadCapacityUnits: 1
  ProvisionedThroughput.WriteCapacityUnits: 1
  TableName: orders
  GlobalSecondaryIndexes: {by_day}
"
    );
    check(&fake, INDEXED, &made).await;

    let faster = INDEXED.replace("ReadCapacityUnits: '1'", "ReadCapacityUnits: 5");
    let update = r#"[{"Update":{"IndexName":"byDay","ProvisionedThroughput":{"ReadCapacityUnits":5,"WriteCapacityUnits":1}}}]"#;
    let wanted = format!(
        "\ndynamodb.UpdateTable\n  GlobalSecondaryIndexUpdates: {update}\n  TableName: orders\n"
    );
    check(&fake, &faster, &wanted).await;

    // Another index in the place of the first: one at a time.
    let renamed = faster.replace("byDay", "byDate");
    let error = fake.apply(&renamed).await.unwrap_err().to_string();
    assert!(error.contains("Cannot perform more than one GSI creation or deletion"), "{error}");
    let other = faster.replace("ProjectionType: ALL", "ProjectionType: KEYS_ONLY");
    let error = fake.apply(&other).await.unwrap_err().to_string();
    assert!(error.contains("Cannot update GSI's properties"), "{error}");
    fake.calls();

    let index = faster.find("      GlobalSecondaryIndexes").unwrap();
    let without = faster[..index].replace(", { AttributeName: day, AttributeType: S }", "");
    let delete = r#"[{"Delete":{"IndexName":"byDay"}}]"#;
    let wanted = format!(
        "
dynamodb.UpdateTable
  AttributeDefinitions: [{{\"AttributeName\":\"PK\",\"AttributeType\":\"S\"}}]
  GlobalSecondaryIndexUpdates: {delete}
  TableName: orders
"
    );
    check(&fake, &without, &wanted).await;
    let wanted = format!(
        "
dynamodb.UpdateTable
  AttributeDefinitions: {attributes}
  GlobalSecondaryIndexUpdates: [{{\"Create\":{}}}]
  TableName: orders
",
        by_day
            .trim_matches(['[', ']'])
            .replace("\"ReadCapacityUnits\":1", "\"ReadCapacityUnits\":5"),
    );
    check(&fake, &faster, &wanted).await;

    let numbers = faster.replace(
        "{ AttributeName: day, AttributeType: S }",
        "{ AttributeName: day, AttributeType: N }",
    );
    let error = fake.apply(&numbers).await.unwrap_err().to_string();
    assert!(error.contains("a change of AttributeDefinitions needs a new"), "{error}");
}

#[tokio::test]
async fn a_replacement_is_made_before_the_old_one_is_deleted() {
    let fake = Fake::new().await;
    fake.apply(QUEUES).await.unwrap();
    fake.calls();
    check(
        &fake,
        &QUEUES.replace("QueueName: work", "QueueName: other").replace("'4'", "4"),
        r#"
sqs.CreateQueue
  QueueName: other
  Attributes.VisibilityTimeout: 4
  Attributes.RedrivePolicy: {"deadLetterTargetArn":"…shop-Dead-9C42526D6A19","maxReceiveCount":3}
sqs.DeleteQueue
  QueueUrl: http://localhost:4566/000000000000/work
"#,
    )
    .await;
    let keys = |key: &str| {
        format!(
            "Resources: {{ T: {{ Type: AWS::DynamoDB::Table, Properties: {{ TableName: t, \
             KeySchema: [{{ AttributeName: {key}, KeyType: HASH }}] }} }} }}"
        )
    };
    fake.apply(&keys("a")).await.unwrap();
    refused(
        &fake,
        &keys("b"),
        "t.yml:1:14: a change of KeySchema needs a new AWS::DynamoDB::Table, but its TableName \
         stays the same\nhelp: change TableName too, or remove T first",
    )
    .await;
}

#[tokio::test]
async fn what_the_template_no_longer_has_is_deleted_and_remove_deletes_all() {
    let fake = Fake::new().await;
    fake.apply(QUEUES).await.unwrap();
    fake.calls();
    let only_dead = "Resources: { Dead: { Type: AWS::SQS::Queue } }";
    check(
        &fake,
        only_dead,
        r#"
sqs.DeleteQueue
  QueueUrl: http://localhost:4566/000000000000/work
"#,
    )
    .await;
    fake.apply(QUEUES).await.unwrap();
    fake.calls();
    let removed = fake.remove().await;
    called(
        &fake,
        "
sqs.DeleteQueue
  QueueUrl: http://localhost:4566/000000000000/work
sqs.DeleteQueue
  QueueUrl: http://localhost:4566/000000000000/shop-Dead-9C42526D6A19
",
    );
    assert_eq!(removed.changes.len(), 2);
    assert!(fake.remove().await.changes.is_empty());
}

#[tokio::test]
async fn urls_follow_the_platform_to_another_address() {
    let mut fake = Fake::new().await;
    fake.asset("pay", "one");
    let template = FUNCTION.replace("LIMIT: 5", "QUEUE: !Ref Work")
        + "  Work: { Type: AWS::SQS::Queue, Properties: { QueueName: work } }\n";
    fake.apply(&template).await.unwrap();
    fake.calls();
    fake.endpoint = "http://127.0.0.1:9999".to_owned();
    fake.apply(&template).await.unwrap();
    let calls = fake.calls();
    assert!(calls.starts_with("lambda.UpdateFunctionConfiguration"), "{calls}");
    assert!(calls.contains(".QUEUE: http://127.0.0.1:9999/000000000000/work\n"), "{calls}");
}

#[tokio::test]
async fn a_retained_resource_stays() {
    let fake = Fake::new().await;
    let retained = "
Resources:
  Work: { Type: AWS::SQS::Queue, DeletionPolicy: Retain, Properties: { QueueName: work } }
";
    fake.apply(retained).await.unwrap();
    fake.calls();
    fake.remove().await;
    called(&fake, "");
}

#[tokio::test]
async fn code_and_configuration_are_updated_apart() {
    let mut fake = Fake::new().await;
    fake.asset("pay", "one");
    check(
        &fake,
        FUNCTION,
        r#"
lambda.CreateFunction
  Handler: pay.handler
  Role: arn:aws:iam::000000000000:role/r
  Runtime: nodejs20.x
  Timeout: 6
  Environment.Variables.LIMIT: 5
  FunctionName: pay
  Code: …
  Tags: {}
"#,
    )
    .await;
    fake.asset("pay", "two");
    check(
        &fake,
        FUNCTION,
        r#"
lambda.UpdateFunctionCode
  FunctionName: pay
  ZipFile: …
"#,
    )
    .await;
    check(
        &fake,
        &FUNCTION.replace("Timeout: 6", "Timeout: 7"),
        r#"
lambda.UpdateFunctionConfiguration
  Handler: pay.handler
  Role: arn:aws:iam::000000000000:role/r
  Runtime: nodejs20.x
  Timeout: 7
  Environment.Variables.LIMIT: 5
  Description: 
  MemorySize: 128
  DeadLetterConfig.TargetArn: 
  EphemeralStorage.Size: 512
  Layers: []
  FunctionName: pay
"#,
    )
    .await;
    fake.assets.clear();
    refused(
        &fake,
        FUNCTION,
        "t.yml:3:3: PayLambdaFunction.Code names no package of this project\n\
         help: declare the function below functions:, with its handler",
    )
    .await;
}

#[tokio::test]
async fn a_failed_deploy_leaves_what_was_there() {
    let fake = Fake::new().await;
    fake.apply(&QUEUES.replace("'4'", "5")).await.unwrap();
    fake.calls();
    let more = format!(
        "{}\n",
        QUEUES.replace(
            "Outputs:",
            "  More: { Type: AWS::SQS::Queue, Properties: { QueueName: more } }\n  \
             Last: { Type: AWS::SQS::Queue, DependsOn: More, Properties: { QueueName: last } }\n\
             Outputs:"
        )
    );
    fake.fail("CreateQueue\n  QueueName: last", "QueueLimit");
    refused(
        &fake,
        &more,
        "t.yml:11:3: Last (AWS::SQS::Queue) could not be created: QueueLimit: as the test wants \
         it\nhelp: the deploy was undone: More, Work",
    )
    .await;
    called(
        &fake,
        r#"
sqs.SetQueueAttributes
  QueueUrl: http://localhost:4566/000000000000/work
  Attributes.VisibilityTimeout: 4
sqs.CreateQueue
  QueueName: more
  Attributes: {}
sqs.CreateQueue
  QueueName: last
  Attributes: {}
sqs.DeleteQueue
  QueueUrl: http://localhost:4566/000000000000/more
sqs.SetQueueAttributes
  QueueUrl: http://localhost:4566/000000000000/work
  Attributes.VisibilityTimeout: 5
"#,
    );
    fake.mend();
    // The state is that of before: the same deploy does the same again.
    check(
        &fake,
        &more,
        r#"
sqs.SetQueueAttributes
  QueueUrl: http://localhost:4566/000000000000/work
  Attributes.VisibilityTimeout: 4
sqs.CreateQueue
  QueueName: more
  Attributes: {}
sqs.CreateQueue
  QueueName: last
  Attributes: {}
"#,
    )
    .await;
}

#[tokio::test]
async fn what_a_killed_deploy_made_is_taken_over() {
    let fake = Fake::new().await;
    let table = "
Resources:
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: orders
      KeySchema: [{ AttributeName: PK, KeyType: HASH }]
      AttributeDefinitions: [{ AttributeName: PK, AttributeType: S }]
";
    // The process dies after the table was made and before that was noted.
    fake.hang("CreateTable");
    let killed = tokio::time::timeout(Duration::from_millis(100), fake.apply(table)).await;
    assert!(killed.is_err());
    fake.mend();
    fake.fail("CreateTable", "ResourceInUseException");
    fake.calls();
    fake.apply(table).await.unwrap();
    assert!(fake.calls().starts_with("dynamodb.CreateTable"));
    // Where no deploy of ours was under way, a table of that name is somebody else's.
    fake.remove().await;
    refused(
        &fake,
        table,
        "t.yml:3:3: Orders (AWS::DynamoDB::Table) could not be created: ResourceInUseException: \
         as the test wants it\n\
         help: mend the place named; the stack is as it was",
    )
    .await;
}

#[tokio::test]
async fn a_leftover_is_named_and_tried_again() {
    let fake = Fake::new().await;
    fake.apply(QUEUES).await.unwrap();
    fake.fail("DeleteQueue\n  QueueUrl: http://localhost:4566/000000000000/work", "Throttled");
    let only_dead = "Resources: { Dead: { Type: AWS::SQS::Queue } }";
    let applied = fake.apply(only_dead).await.unwrap();
    assert_eq!(applied.leftovers, ["Work (AWS::SQS::Queue): Throttled: as the test wants it"]);
    fake.mend();
    fake.calls();
    check(
        &fake,
        only_dead,
        r#"
sqs.DeleteQueue
  QueueUrl: http://localhost:4566/000000000000/work
"#,
    )
    .await;
}

#[tokio::test]
async fn conditions_decide_what_is_made() {
    let fake = Fake::new().await;
    let template = "
Parameters: { Stage: { Type: String, Default: dev } }
Mappings: { Seconds: { dev: { visible: 3 }, prod: { visible: 30 } } }
Conditions:
  Prod: !Equals [!Ref Stage, prod]
  Dev: !And [!Not [!Condition Prod], !Or [!Equals [a, b], !Equals [1, '1']]]
Resources:
  OnlyProd: { Type: AWS::SQS::Queue, Condition: Prod }
  Work:
    Type: AWS::SQS::Queue
    Condition: Dev
    Properties:
      QueueName: !Join ['-', [!Select [1, !Split ['/', x/work]], !Base64 hi]]
      VisibilityTimeout: !FindInMap [Seconds, !Ref Stage, visible]
      DelaySeconds: !If [Prod, 9, !Ref AWS::NoValue]
Outputs:
  Prod: { Condition: Prod, Value: !Ref OnlyProd }
  Sub: { Value: !Sub ['${x}-${!kept}-${AWS::Region}', { x: !Ref Stage }] }
";
    let applied = fake.apply(template).await.unwrap();
    called(
        &fake,
        r#"
sqs.CreateQueue
  QueueName: work-aGk=
  Attributes.VisibilityTimeout: 3
"#,
    );
    assert_eq!(format!("{:?}", applied.outputs), r#"[("Sub", "dev-${kept}-us-east-1")]"#);
    refused(
        &fake,
        &template.replace(
            "DelaySeconds: !If [Prod, 9, !Ref AWS::NoValue]",
            "RedrivePolicy: !Ref OnlyProd",
        ),
        "t.yml:15:22: OnlyProd is not made, because its condition does not hold\n\
         help: refer to it within an Fn::If of the same condition",
    )
    .await;
}

#[tokio::test]
async fn the_orders_example_is_made_and_removed() {
    let mut fake = Fake::new().await;
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/orders");
    let options = Options::new("000000000000".parse().unwrap());
    let project = deploy::read(&dir, &options).unwrap_or_else(|error| panic!("{error}"));
    for function in &project.functions {
        fake.asset(&function.name, &function.name);
    }
    let applied = fake.apply_template(&project.template).await.unwrap_or_else(|e| panic!("{e}"));
    let calls = fake.calls();
    let count = |operation: &str| calls.lines().filter(|line| *line == operation).count();
    assert_eq!(count("lambda.CreateFunction"), 7);
    assert_eq!(count("lambda.CreateEventSourceMapping"), 1);
    assert_eq!(count("sqs.CreateQueue"), 2);
    assert_eq!(count("sns.Subscribe"), 2);
    assert_eq!(count("events.PutTargets"), 1);
    assert_eq!(count("apigatewayv2.ImportApi"), 1);
    assert_eq!(count("apigateway.CreateDeployment"), 1);
    let endpoints: Vec<String> = applied
        .endpoints
        .iter()
        .map(|endpoint| format!("{} {} {}", endpoint.method, endpoint.url, endpoint.function))
        .collect();
    assert!(
        endpoints.contains(
            &"GET http://localhost:4566/_aws/execute-api/rest1/dev/v1/orders/{id} \
              orders-dev-getOrder"
                .to_owned()
        ),
        "{endpoints:?}"
    );
    assert!(fake.apply_template(&project.template).await.unwrap().changes.is_empty());
    called(&fake, "");
    let removed = fake.remove().await;
    assert_eq!(removed.changes.len(), project.template.resources.len());
    assert_eq!(removed.leftovers, Vec::<String>::new());
}

const STREAM: &str = "
Resources:
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: orders
      KeySchema: [{ AttributeName: PK, KeyType: HASH }]
      StreamSpecification: { StreamViewType: NEW_IMAGE }
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      EventSourceArn: !GetAtt Orders.StreamArn
      FunctionName: pay
      StartingPosition: LATEST
      BatchSize: 5
      MaximumRetryAttempts: '3'
      BisectBatchOnFunctionError: 'true'
      DestinationConfig: { OnFailure: { Destination: 'arn:aws:sqs:us-east-1:000000000000:q' } }
";

#[tokio::test]
async fn a_table_with_a_stream_feeds_a_function() {
    let fake = Fake::new().await;
    let template = STREAM;
    check(
        &fake,
        template,
        "
dynamodb.CreateTable
  KeySchema: [{\"AttributeName\":\"PK\",\"KeyType\":\"HASH\"}]
  TableName: orders
  StreamSpecification.StreamEnabled: true
  StreamSpecification.StreamViewType: NEW_IMAGE
dynamodb.DescribeTable
  TableName: orders
lambda.CreateEventSourceMapping
  FunctionName: pay
  BatchSize: 5
  BisectBatchOnFunctionError: true
  MaximumRetryAttempts: 3
  DestinationConfig.OnFailure.Destination: …q
  StartingPosition: LATEST
  EventSourceArn: arn:aws:dynamodb:us-east-1:000000000000:table/orders/stream/1
",
    )
    .await;
    // What is said no longer goes back to what it is for streams.
    let start = template.find("      BatchSize").unwrap();
    let less = format!("{}      ParallelizationFactor: 2\n", &template[..start]);
    check(
        &fake,
        &less,
        "
lambda.UpdateEventSourceMapping
  FunctionName: pay
  ParallelizationFactor: 2
  UUID: uuid
  Enabled: true
  MaximumBatchingWindowInSeconds: 0
  FunctionResponseTypes: []
  FilterCriteria: {}
  BatchSize: 100
  BisectBatchOnFunctionError: false
  MaximumRecordAgeInSeconds: -1
  MaximumRetryAttempts: -1
  TumblingWindowInSeconds: 0
  DestinationConfig.OnFailure.Destination: \u{20}
"
        .trim_end_matches("\u{20}\n"),
    )
    .await;
}

#[tokio::test]
async fn another_view_is_another_stream() {
    let fake = Fake::new().await;
    fake.apply(STREAM).await.unwrap();
    fake.calls();
    let other = STREAM.replace("NEW_IMAGE", "KEYS_ONLY");
    check(
        &fake,
        &other,
        "
dynamodb.UpdateTable
  TableName: orders
  StreamSpecification.StreamEnabled: false
dynamodb.UpdateTable
  TableName: orders
  StreamSpecification.StreamEnabled: true
  StreamSpecification.StreamViewType: KEYS_ONLY
dynamodb.DescribeTable
  TableName: orders
",
    )
    .await;
    refused(
        &fake,
        &other.replace("      StreamSpecification: { StreamViewType: KEYS_ONLY }\n", ""),
        "t.yml:11:23: Orders has no attribute StreamArn\nhelp: its attributes are Arn",
    )
    .await;
}

#[tokio::test]
async fn fifo_queues_are_made_with_their_suffix_and_changed() {
    let fake = Fake::new().await;
    let own = "Resources:\n  Own:\n    Type: AWS::SQS::Queue\n    Properties:\n      \
               QueueName: own.fifo\n      FifoQueue: true\n";
    let more =
        format!("{own}      ContentBasedDeduplication: true\n      DeduplicationScope: queue\n");
    check(
        &fake,
        &more,
        "
sqs.CreateQueue
  QueueName: own.fifo
  Attributes.ContentBasedDeduplication: true
  Attributes.DeduplicationScope: queue
  Attributes.FifoQueue: true
",
    )
    .await;
    check(
        &fake,
        own,
        "
sqs.SetQueueAttributes
  QueueUrl: http://localhost:4566/000000000000/own.fifo
  Attributes.ContentBasedDeduplication: false
  Attributes.DeduplicationScope: queue
",
    )
    .await;
    let fresh = "Resources:\n  Own:\n    Type: AWS::SQS::Queue\n    Properties:\n      FifoQueue: \
                 true\n      FifoThroughputLimit: perQueue\n";
    let result = fake.apply(fresh).await;
    let calls = fake.calls();
    let name = calls.lines().find_map(|line| line.strip_prefix("  QueueName: ")).unwrap();
    assert!(name.starts_with("shop-Own-") && name.ends_with(".fifo"), "{calls} {result:?}");
    assert!(calls.contains("  Attributes.FifoQueue: true"), "{calls}");
}
