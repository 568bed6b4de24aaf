"""Queues: sums, batches, visibility, long polls, dead letters, and both protocols."""

import hashlib
import json
import struct
import threading
import time
import urllib.parse
import urllib.request
import xml.etree.ElementTree as xml

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError


@pytest.fixture
def sqs(aws):
    return aws("sqs")


@pytest.fixture
def queue(sqs, name):
    url = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "30"})["QueueUrl"]
    yield url
    sqs.delete_queue(QueueUrl=url)


def refused(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def receive(sqs, url, **more):
    arguments = {"MaxNumberOfMessages": 10, "AttributeNames": ["All"], **more}
    return sqs.receive_message(QueueUrl=url, **arguments).get("Messages", [])


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()


def md5_of_attributes(attributes):
    """As the SQS guide defines it: sorted names; lengths, types and values; 1 text, 2 binary."""
    sum_ = hashlib.md5()
    for name in sorted(attributes):
        value = attributes[name]
        for text in (name, value["DataType"]):
            sum_.update(struct.pack(">I", len(text.encode())) + text.encode())
        binary = "BinaryValue" in value
        data = value["BinaryValue"] if binary else value["StringValue"].encode()
        sum_.update((b"\2" if binary else b"\1") + struct.pack(">I", len(data)) + data)
    return sum_.hexdigest()


def test_a_queue_is_made_once_and_found(sqs, name):
    attributes = {"VisibilityTimeout": "7", "DelaySeconds": "0"}
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    assert url.endswith(f"/000000000000/{name}")
    assert sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"] == url
    assert sqs.get_queue_url(QueueName=name)["QueueUrl"] == url
    with pytest.raises(sqs.exceptions.QueueNameExists):
        sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "8"})

    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert found["QueueArn"] == f"arn:aws:sqs:us-east-1:000000000000:{name}"
    assert found["VisibilityTimeout"] == "7"
    assert found["MessageRetentionPeriod"] == "345600"
    assert found["ApproximateNumberOfMessages"] == "0"
    assert "RedrivePolicy" not in found
    some = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    assert list(some) == ["QueueArn"]

    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "9"})
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
    assert found["Attributes"] == {"VisibilityTimeout": "9"}

    sqs.delete_queue(QueueUrl=url)
    assert refused(sqs.get_queue_url, QueueName=name) == (
        "AWS.SimpleQueueService.NonExistentQueue",
        400,
    )
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.send_message(QueueUrl=url, MessageBody="x")


def test_queues_are_listed_in_pages(sqs, name):
    urls = [sqs.create_queue(QueueName=f"{name}-{n}")["QueueUrl"] for n in range(3)]
    assert sorted(sqs.list_queues(QueueNamePrefix=name)["QueueUrls"]) == urls
    assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix=f"{name}-nothing")
    first = sqs.list_queues(QueueNamePrefix=name, MaxResults=2)
    assert len(first["QueueUrls"]) == 2
    rest = sqs.list_queues(QueueNamePrefix=name, MaxResults=2, NextToken=first["NextToken"])
    assert sorted(first["QueueUrls"] + rest["QueueUrls"]) == urls
    assert "NextToken" not in rest
    for url in urls:
        sqs.delete_queue(QueueUrl=url)


def test_a_message_comes_back_whole(sqs, queue):
    attributes = {
        "text": {"DataType": "String", "StringValue": "grüße"},
        "amount": {"DataType": "Number.int", "StringValue": "42"},
        "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    body = "<a>&\"' 🛒\n"
    before = time.time()
    sent = sqs.send_message(QueueUrl=queue, MessageBody=body, MessageAttributes=attributes)
    assert sent["MD5OfMessageBody"] == md5(body)
    assert sent["MD5OfMessageAttributes"] == md5_of_attributes(attributes)

    [message] = receive(sqs, queue, MessageAttributeNames=["All"])
    assert message["MessageId"] == sent["MessageId"]
    assert message["Body"] == body
    assert message["MD5OfBody"] == md5(body)
    assert message["MessageAttributes"] == attributes
    assert message["MD5OfMessageAttributes"] == md5_of_attributes(attributes)
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    assert abs(int(message["Attributes"]["SentTimestamp"]) / 1000 - before) < 10
    assert message["Attributes"]["SenderId"]


def test_message_attributes_only_when_asked(sqs, queue):
    attributes = {
        name: {"DataType": "String", "StringValue": name} for name in ("a.one", "a.two", "b")
    }
    sqs.send_message(QueueUrl=queue, MessageBody="x", MessageAttributes=attributes)
    for asked, wanted in [([], None), (["b"], {"b"}), (["a.*"], {"a.one", "a.two"})]:
        [message] = receive(sqs, queue, MessageAttributeNames=asked, VisibilityTimeout=0)
        got = message.get("MessageAttributes")
        assert (set(got) if got else None) == wanted
        if wanted:  # the sum is of what is returned
            chosen = {name: attributes[name] for name in wanted}
            assert message["MD5OfMessageAttributes"] == md5_of_attributes(chosen)


def test_visibility(sqs, queue):
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    [first] = receive(sqs, queue, VisibilityTimeout=1)
    assert receive(sqs, queue) == []
    counts = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert counts["ApproximateNumberOfMessages"] == "0"
    assert counts["ApproximateNumberOfMessagesNotVisible"] == "1"

    started = time.monotonic()
    [second] = receive(sqs, queue, WaitTimeSeconds=5)  # it becomes visible during the wait
    assert 0.5 < time.monotonic() - started < 3
    assert second["MessageId"] == first["MessageId"]
    assert second["ReceiptHandle"] != first["ReceiptHandle"]
    assert second["Attributes"]["ApproximateReceiveCount"] == "2"

    handle = second["ReceiptHandle"]
    sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=0)
    [third] = receive(sqs, queue)
    assert third["Attributes"]["ApproximateReceiveCount"] == "3"
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=third["ReceiptHandle"])
    assert receive(sqs, queue, WaitTimeSeconds=1) == []
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=third["ReceiptHandle"])  # again: no error


def test_a_delayed_message(sqs, queue):
    sqs.send_message(QueueUrl=queue, MessageBody="later", DelaySeconds=1)
    assert receive(sqs, queue) == []
    counts = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert counts["ApproximateNumberOfMessagesDelayed"] == "1"
    [message] = receive(sqs, queue, WaitTimeSeconds=5)
    assert message["Body"] == "later"


def test_a_long_poll_ends_when_a_message_comes(sqs, queue):
    other = boto3.client("sqs")
    timer = threading.Timer(
        0.7, lambda: other.send_message(QueueUrl=queue, MessageBody="here")
    )
    started = time.monotonic()
    timer.start()
    [message] = receive(sqs, queue, WaitTimeSeconds=20)
    assert message["Body"] == "here"
    assert 0.5 < time.monotonic() - started < 3
    timer.join()


def test_a_long_poll_ends_by_itself(sqs, queue):
    started = time.monotonic()
    assert receive(sqs, queue, WaitTimeSeconds=1) == []
    assert 0.9 < time.monotonic() - started < 4


def test_batches(sqs, queue):
    entries = [{"Id": str(n), "MessageBody": f"body {n}"} for n in range(10)]
    sent = sqs.send_message_batch(QueueUrl=queue, Entries=entries)
    assert {entry["Id"] for entry in sent["Successful"]} == {str(n) for n in range(10)}
    assert sent.get("Failed", []) == []
    assert all(
        entry["MD5OfMessageBody"] == md5(f"body {entry['Id']}") for entry in sent["Successful"]
    )

    messages = []
    while len(messages) < 10:
        got = receive(sqs, queue, WaitTimeSeconds=2)
        assert got
        messages += got
    assert sorted(message["Body"] for message in messages) == [f"body {n}" for n in range(10)]

    handles = [
        {"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]}
        for n, message in enumerate(messages[:9])
    ]
    done = sqs.delete_message_batch(
        QueueUrl=queue, Entries=[*handles, {"Id": "bad", "ReceiptHandle": "nonsense"}]
    )
    assert len(done["Successful"]) == 9
    [failed] = done["Failed"]
    assert (failed["Id"], failed["SenderFault"]) == ("bad", True)
    assert failed["Code"] == "ReceiptHandleIsInvalid"

    last = messages[9]["ReceiptHandle"]
    changed = sqs.change_message_visibility_batch(
        QueueUrl=queue, Entries=[{"Id": "a", "ReceiptHandle": last, "VisibilityTimeout": 0}]
    )
    assert changed["Successful"] == [{"Id": "a"}]
    [message] = receive(sqs, queue, WaitTimeSeconds=1)
    assert message["Body"] == messages[9]["Body"]


def test_dead_letters(sqs, name, eventually):
    dead = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:000000000000:{name}-dead"
    policy = {"deadLetterTargetArn": arn, "maxReceiveCount": 2}
    queue = sqs.create_queue(
        QueueName=name, Attributes={"RedrivePolicy": json.dumps(policy)}
    )["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["RedrivePolicy"])
    assert json.loads(found["Attributes"]["RedrivePolicy"])["maxReceiveCount"] in (2, "2")

    attributes = {"why": {"DataType": "String", "StringValue": "test"}}
    sent = sqs.send_message(QueueUrl=queue, MessageBody="bad", MessageAttributes=attributes)
    for count in ("1", "2"):
        [message] = receive(sqs, queue, VisibilityTimeout=0)
        assert message["Attributes"]["ApproximateReceiveCount"] == count
    assert receive(sqs, queue) == []  # the third receive moves it instead

    [moved] = eventually(lambda: receive(sqs, dead, MessageAttributeNames=["All"]) or None)
    assert moved["MessageId"] == sent["MessageId"]
    assert moved["Body"] == "bad"
    assert moved["MessageAttributes"] == attributes
    assert receive(sqs, queue) == []
    for url in (queue, dead):
        sqs.delete_queue(QueueUrl=url)


def test_every_message_once_among_many_consumers(sqs, queue):
    total = 300
    for start in range(0, total, 10):
        entries = [{"Id": str(n), "MessageBody": str(n)} for n in range(start, start + 10)]
        sqs.send_message_batch(QueueUrl=queue, Entries=entries)
    seen = []

    def consume():
        client = boto3.client("sqs")
        while messages := receive(client, queue, WaitTimeSeconds=1):
            for message in messages:
                seen.append(message["Body"])
                client.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])

    threads = [threading.Thread(target=consume) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen, key=int) == [str(n) for n in range(total)]


def query(endpoint, **form):
    """One call in the Query protocol, as SDKs before 2023 speak it. Gives status and XML."""
    body = urllib.parse.urlencode({"Version": "2012-11-05", **form}).encode()
    request = AWSRequest("POST", f"{endpoint}/", data=body)
    request.headers["Content-Type"] = "application/x-www-form-urlencoded; charset=utf-8"
    SigV4Auth(boto3.Session().get_credentials(), "sqs", "us-east-1").add_auth(request)
    sent = urllib.request.Request(f"{endpoint}/", body, dict(request.headers), method="POST")
    try:
        with urllib.request.urlopen(sent) as reply:
            status, text = reply.status, reply.read()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read()
    root = xml.fromstring(text)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return status, root


def test_the_query_protocol(sqs, queue, name, endpoint):
    status, root = query(endpoint, Action="GetQueueUrl", QueueName=name)
    assert (status, root.tag) == (200, "GetQueueUrlResponse")
    assert root.findtext("GetQueueUrlResult/QueueUrl") == queue
    assert root.findtext("ResponseMetadata/RequestId")

    form = {
        "MessageAttribute.1.Name": "a",
        "MessageAttribute.1.Value.DataType": "String",
        "MessageAttribute.1.Value.StringValue": "1",
    }
    status, root = query(
        endpoint, Action="SendMessage", QueueUrl=queue, MessageBody="<é>", **form
    )
    assert status == 200
    assert root.findtext("SendMessageResult/MD5OfMessageBody") == md5("<é>")

    status, root = query(
        endpoint,
        Action="ReceiveMessage",
        QueueUrl=queue,
        **{"AttributeName.1": "All", "MessageAttributeName.1": "All"},
    )
    message = root.find("ReceiveMessageResult/Message")
    assert message.findtext("Body") == "<é>"
    assert message.findtext("MessageAttribute/Name") == "a"
    assert message.findtext("MessageAttribute/Value/StringValue") == "1"
    names = [attribute.findtext("Name") for attribute in message.findall("Attribute")]
    assert "ApproximateReceiveCount" in names

    form = {
        "DeleteMessageBatchRequestEntry.1.Id": "a",
        "DeleteMessageBatchRequestEntry.1.ReceiptHandle": message.findtext("ReceiptHandle"),
    }
    status, root = query(endpoint, Action="DeleteMessageBatch", QueueUrl=queue, **form)
    entry = "DeleteMessageBatchResult/DeleteMessageBatchResultEntry/Id"
    assert root.findtext(entry) == "a"

    status, root = query(endpoint, Action="GetQueueUrl", QueueName=f"{name}-none")
    assert (status, root.tag) == (400, "ErrorResponse")
    assert root.findtext("Error/Code") == "AWS.SimpleQueueService.NonExistentQueue"
    assert root.findtext("Error/Type") == "Sender"
    assert root.findtext("RequestId")


MISTAKES = [
    ("send_message_batch", {"Entries": []}, "AWS.SimpleQueueService.EmptyBatchRequest"),
    ("send_message_batch",
     {"Entries": [{"Id": str(n), "MessageBody": "x"} for n in range(11)]},
     "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"),
    ("send_message_batch",
     {"Entries": [{"Id": "a", "MessageBody": "x"}, {"Id": "a", "MessageBody": "y"}]},
     "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"),
    ("send_message_batch",
     {"Entries": [{"Id": "not allowed!", "MessageBody": "x"}]},
     "AWS.SimpleQueueService.InvalidBatchEntryId"),
    ("send_message_batch",
     {"Entries": [{"Id": str(n), "MessageBody": "x" * 600_000} for n in range(2)]},
     "AWS.SimpleQueueService.BatchRequestTooLong"),
    ("send_message", {"MessageBody": "x" * 1_048_577}, "InvalidParameterValue"),
    ("send_message", {"MessageBody": "x", "DelaySeconds": 901}, "InvalidParameterValue"),
    ("send_message", {"MessageBody": "\x00"}, "InvalidMessageContents"),
    ("receive_message", {"MaxNumberOfMessages": 11}, "InvalidParameterValue"),
    ("receive_message", {"WaitTimeSeconds": 21}, "InvalidParameterValue"),
    ("delete_message", {"ReceiptHandle": "nonsense"}, "ReceiptHandleIsInvalid"),
    ("change_message_visibility",
     {"ReceiptHandle": "nonsense", "VisibilityTimeout": 1}, "ReceiptHandleIsInvalid"),
    ("set_queue_attributes", {"Attributes": {"VisibilityTimeout": "43201"}},
     "InvalidAttributeValue"),
    ("set_queue_attributes", {"Attributes": {"Nonsense": "1"}}, "InvalidAttributeName"),
]


@pytest.mark.parametrize(("operation", "arguments", "code"), MISTAKES)
def test_mistakes_are_named_as_aws_names_them(sqs, queue, operation, arguments, code):
    assert refused(getattr(sqs, operation), QueueUrl=queue, **arguments) == (code, 400)


def test_the_largest_message(sqs, queue):
    body = "x" * 1_048_576
    sqs.send_message(QueueUrl=queue, MessageBody=body)
    [message] = receive(sqs, queue)
    assert message["Body"] == body
