"""Event source mappings: what reaches the function, and what a mapping is refused for."""

import json

import pytest
from botocore.exceptions import ClientError

COUNTS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")


@pytest.fixture
def queue(aws, name):
    """`queue(VisibilityTimeout="30")` makes a queue and gives its URL and ARN."""
    sqs = aws("sqs")
    urls = []

    def make(**attributes):
        each = f"{name}-{len(urls)}"
        urls.append(sqs.create_queue(QueueName=each, Attributes=attributes)["QueueUrl"])
        return urls[-1], f"arn:aws:sqs:us-east-1:000000000000:{each}"

    yield make
    for url in urls:
        sqs.delete_queue(QueueUrl=url)


def left(aws, url):
    counts = aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return sum(int(counts[name]) for name in COUNTS)


def test_only_what_a_filter_wants_reaches_the_function(aws, function, queue, mapping, eventually):
    made = function(
        "exports.handler = async (e) => { for (const r of e.Records) console.log('got', r.body) };"
    )
    url, arn = queue()
    criteria = {
        "Filters": [
            {"Pattern": json.dumps({"body": {"total": [{"numeric": [">", 100]}]}})},
            {"Pattern": json.dumps({"body": [{"prefix": "urgent"}]})},
        ]
    }
    answer = mapping(made, arn, FilterCriteria=criteria, MaximumBatchingWindowInSeconds=1)
    assert answer["FilterCriteria"] == criteria
    bodies = ['{"total":99}', '{"total":101}', "later", "urgent: now", '{"total":"500"}']
    entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies)]
    aws("sqs").send_message_batch(QueueUrl=url, Entries=entries)

    def got():
        try:
            found = aws("logs").filter_log_events(
                logGroupName=f"/aws/lambda/{made}", filterPattern="got"
            )["events"]
        except aws("logs").exceptions.ResourceNotFoundException:
            return None
        bodies = sorted(event["message"].partition("got ")[2].strip() for event in found)
        return bodies if len(bodies) >= 2 else None

    assert eventually(got) == ["urgent: now", '{"total":101}']
    assert eventually(lambda: left(aws, url) == 0)
    assert len(got()) == 2


def test_a_mapping_is_refused_what_lambda_refuses(aws, function, queue, mapping):
    made = function(Timeout=31)
    _, short = queue()
    _, arn = queue(VisibilityTimeout="186")

    def refused(arn, **more):
        with pytest.raises(ClientError) as caught:
            mapping(made, arn, **more)
        error = caught.value.response["Error"]
        return error["Code"], error["Message"]

    invalid = "InvalidParameterValueException"
    text = "Queue visibility timeout: 30 seconds is less than Function timeout: 31 seconds"
    assert refused(short) == (invalid, text)
    pattern = {"Filters": [{"Pattern": '{"body": "x"}'}]}
    text = "Invalid filter pattern definition."
    assert refused(arn, FilterCriteria=pattern) == (invalid, text)
    text = "Unsupported DestinationConfig parameter for given event source mapping type."
    to = {"OnFailure": {"Destination": short}}
    assert refused(arn, DestinationConfig=to) == (invalid, text)
    assert refused(arn, StartingPosition="LATEST")[0] == invalid
    assert refused(arn, BatchSize=11)[0] == invalid


def test_pollers_and_tags_of_a_mapping(aws, function, queue, mapping):
    lambda_ = aws("lambda")
    pollers = {"MinimumPollers": 2, "MaximumPollers": 4}
    made = mapping(
        function(), queue()[1], ProvisionedPollerConfig=pollers, Tags={"team": "orders"}
    )
    assert made["ProvisionedPollerConfig"] == pollers
    arn = made["EventSourceMappingArn"]
    lambda_.tag_resource(Resource=arn, Tags={"stage": "dev"})
    lambda_.untag_resource(Resource=arn, TagKeys=["team"])
    assert lambda_.list_tags(Resource=arn)["Tags"] == {"stage": "dev"}
    changed = lambda_.update_event_source_mapping(
        UUID=made["UUID"], ProvisionedPollerConfig={}, ScalingConfig={"MaximumConcurrency": 2}
    )
    assert "ProvisionedPollerConfig" not in changed
    assert changed["ScalingConfig"] == {"MaximumConcurrency": 2}
