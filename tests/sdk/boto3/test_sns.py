"""Topics: what arrives in a subscribed queue, and what a filter policy lets through."""

import json

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def sns(aws):
    return aws("sns")


@pytest.fixture
def topic(sns, name):
    arn = sns.create_topic(Name=name)["TopicArn"]
    yield arn
    sns.delete_topic(TopicArn=arn)


@pytest.fixture
def subscribe(aws, sns, topic, name):
    """`subscribe(**attributes)` gives a function that returns what came in, oldest first."""
    sqs = aws("sqs")
    urls = []

    def make(**attributes):
        queue = f"{name}-{len(urls)}"
        url = sqs.create_queue(QueueName=queue)["QueueUrl"]
        urls.append(url)
        subscribed = sns.subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint=f"arn:aws:sqs:us-east-1:000000000000:{queue}",
            Attributes=attributes,
            ReturnSubscriptionArn=True,
        )

        def messages(wait=1):
            found = []
            while True:
                got = sqs.receive_message(
                    QueueUrl=url,
                    MaxNumberOfMessages=10,
                    WaitTimeSeconds=wait,
                    MessageAttributeNames=["All"],
                ).get("Messages", [])
                if not got:
                    return found
                found += got

        messages.arn = subscribed["SubscriptionArn"]
        return messages

    yield make
    for url in urls:
        sqs.delete_queue(QueueUrl=url)


def text(value):
    return {"DataType": "String", "StringValue": value}


def test_a_topic_is_made_once_listed_and_deleted(sns, name):
    arn = sns.create_topic(Name=name)["TopicArn"]
    assert arn == f"arn:aws:sns:us-east-1:000000000000:{name}"
    assert sns.create_topic(Name=name)["TopicArn"] == arn
    listed = [each["TopicArn"] for page in sns.get_paginator("list_topics").paginate()
              for each in page["Topics"]]
    assert listed.count(arn) == 1
    attributes = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
    assert attributes["TopicArn"] == arn
    assert attributes["Owner"] == "000000000000"
    assert attributes["SubscriptionsConfirmed"] == "0"
    sns.delete_topic(TopicArn=arn)
    with pytest.raises(sns.exceptions.NotFoundException) as caught:
        sns.publish(TopicArn=arn, Message="x")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    sns.delete_topic(TopicArn=arn)  # deleting nothing is no error


def test_a_subscription_is_found_changed_and_ended(sns, topic, subscribe, name):
    messages = subscribe()
    attributes = sns.get_subscription_attributes(SubscriptionArn=messages.arn)["Attributes"]
    assert attributes["TopicArn"] == topic
    assert attributes["Protocol"] == "sqs"
    assert attributes["RawMessageDelivery"] == "false"
    assert attributes["PendingConfirmation"] == "false"
    [listed] = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert listed["SubscriptionArn"] == messages.arn
    assert listed["Endpoint"].endswith(f":{name}-0")

    again = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=listed["Endpoint"])
    assert again["SubscriptionArn"] == messages.arn

    sns.set_subscription_attributes(
        SubscriptionArn=messages.arn, AttributeName="RawMessageDelivery", AttributeValue="true"
    )
    sns.publish(TopicArn=topic, Message="raw now")
    assert [message["Body"] for message in messages()] == ["raw now"]

    sns.unsubscribe(SubscriptionArn=messages.arn)
    sns.publish(TopicArn=topic, Message="nobody listens")
    assert messages() == []


def test_the_envelope(sns, topic, subscribe):
    messages = subscribe()
    sent = sns.publish(
        TopicArn=topic, Message="grüße", Subject="hi", MessageAttributes={"a": text("1")}
    )
    [message] = messages()
    envelope = json.loads(message["Body"])
    assert envelope["Type"] == "Notification"
    assert envelope["MessageId"] == sent["MessageId"]
    assert envelope["TopicArn"] == topic
    assert envelope["Message"] == "grüße"
    assert envelope["Subject"] == "hi"
    assert envelope["MessageAttributes"] == {"a": {"Type": "String", "Value": "1"}}
    assert envelope["Timestamp"].endswith("Z")
    assert "MessageAttributes" not in message


def test_raw_delivery(sns, topic, subscribe):
    messages = subscribe(RawMessageDelivery="true")
    attributes = {"a": text("1"), "b": {"DataType": "Binary", "BinaryValue": b"\x00"}}
    sns.publish(TopicArn=topic, Message="plain", MessageAttributes=attributes)
    [message] = messages()
    assert message["Body"] == "plain"
    assert message["MessageAttributes"] == attributes


def test_a_message_goes_to_every_subscriber_once(sns, topic, subscribe):
    subscribers = [subscribe(RawMessageDelivery="true") for _ in range(3)]
    entries = [{"Id": str(n), "Message": f"m{n}"} for n in range(10)]
    sent = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
    assert {each["Id"] for each in sent["Successful"]} == {str(n) for n in range(10)}
    assert sent.get("Failed", []) == []
    for messages in subscribers:
        bodies = sorted(message["Body"] for message in messages())
        assert bodies == sorted(f"m{n}" for n in range(10))


ATTRIBUTES = {
    "event": text("OrderPaid"),
    "amount": {"DataType": "Number", "StringValue": "42.5"},
    "tags": {"DataType": "String.Array", "StringValue": '["red", "blue"]'},
}

POLICIES = [
    ({"event": ["OrderPaid"]}, True),
    ({"event": ["OrderFailed", "OrderPaid"]}, True),
    ({"event": ["orderpaid"]}, False),
    ({"event": ["OrderPaid"], "absent": ["x"]}, False),
    ({"event": [{"prefix": "Order"}]}, True),
    ({"event": [{"suffix": "Failed"}]}, False),
    ({"event": [{"anything-but": ["OrderFailed"]}]}, True),
    ({"event": [{"anything-but": {"prefix": "Order"}}]}, False),
    ({"event": [{"equals-ignore-case": "ORDERPAID"}]}, True),
    ({"event": [{"exists": True}]}, True),
    ({"event": [{"exists": False}]}, False),
    ({"absent": [{"exists": False}]}, True),
    ({"amount": [42.5]}, True),
    ({"amount": [{"numeric": [">", 42, "<=", 42.5]}]}, True),
    ({"amount": [{"numeric": ["<", 42]}]}, False),
    ({"tags": ["blue"]}, True),
    ({"tags": ["green"]}, False),
]


@pytest.mark.parametrize(("policy", "passes"), POLICIES)
def test_filter_policies(sns, topic, subscribe, policy, passes):
    filtered = subscribe(RawMessageDelivery="true", FilterPolicy=json.dumps(policy))
    control = subscribe(RawMessageDelivery="true")
    sns.publish(TopicArn=topic, Message="x", MessageAttributes=ATTRIBUTES)
    # Both were appended in one transaction: when the one is there, so is the other.
    assert len(control()) == 1
    assert len(filtered(wait=0)) == (1 if passes else 0)


def test_a_filter_policy_on_the_body(sns, topic, subscribe):
    policy = {"order": {"total": [{"numeric": [">", 100]}], "items": ["mug"]}}
    messages = subscribe(
        RawMessageDelivery="true",
        FilterPolicyScope="MessageBody",
        FilterPolicy=json.dumps(policy),
    )
    for total, items in [(99, ["mug"]), (101, ["mug", "pot"]), (101, ["pot"])]:
        body = {"order": {"total": total, "items": items}}
        sns.publish(TopicArn=topic, Message=json.dumps(body))
    sns.publish(TopicArn=topic, Message="not json")
    assert [json.loads(each["Body"])["order"]["items"] for each in messages()] == [["mug", "pot"]]


MISTAKES = [
    ("publish", {"Message": ""}, "InvalidParameter"),
    ("publish", {"Message": "x" * 1_048_577}, "InvalidParameter"),
    ("publish", {"Message": "x", "Subject": ""}, "InvalidParameter"),
    ("subscribe", {"Protocol": "pigeon", "Endpoint": "x"}, "InvalidParameter"),
    ("subscribe", {"Protocol": "sqs", "Endpoint": "not an arn"}, "InvalidParameter"),
    ("publish_batch", {"PublishBatchRequestEntries": []}, "EmptyBatchRequest"),
    ("publish_batch",
     {"PublishBatchRequestEntries": [{"Id": "a", "Message": "x"}, {"Id": "a", "Message": "y"}]},
     "BatchEntryIdsNotDistinct"),
    ("publish_batch",
     {"PublishBatchRequestEntries": [{"Id": str(n), "Message": "x"} for n in range(11)]},
     "TooManyEntriesInBatchRequest"),
]


@pytest.mark.parametrize(("operation", "arguments", "code"), MISTAKES)
def test_mistakes_are_named_as_aws_names_them(sns, topic, operation, arguments, code):
    with pytest.raises(ClientError) as caught:
        getattr(sns, operation)(TopicArn=topic, **arguments)
    response = caught.value.response
    assert response["Error"]["Code"] == code
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_a_filter_policy_that_is_none(sns, topic, aws, name):
    url = aws("sqs").create_queue(QueueName=name)["QueueUrl"]
    for policy in ["{", "[]", '{"a": "text"}', '{"a": [{"nonsense": 1}]}']:
        with pytest.raises(ClientError) as caught:
            sns.subscribe(
                TopicArn=topic,
                Protocol="sqs",
                Endpoint=f"arn:aws:sqs:us-east-1:000000000000:{name}",
                Attributes={"FilterPolicy": policy},
            )
        assert caught.value.response["Error"]["Code"] == "InvalidParameter", policy
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []
    aws("sqs").delete_queue(QueueUrl=url)
