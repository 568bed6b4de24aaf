"""Logs: what functions write is found by group, stream and words."""

import re
import time

import pytest


@pytest.fixture
def logs(aws):
    return aws("logs")


@pytest.fixture
def written(aws, function):
    """A function that has written three lines, one of them an error; and when that was."""
    before = int(time.time() * 1000)
    name = function(
        "exports.handler = async () => {\n"
        "  console.log('plain line'); console.warn('{\"level\":\"warn\",\"n\":7}');\n"
        "  console.error('ERROR it broke') };"
    )
    aws("lambda").invoke(FunctionName=name)
    return f"/aws/lambda/{name}", before


def test_the_group_and_the_stream_of_a_function(logs, written):
    group, before = written
    [found] = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert found["logGroupName"] == group
    assert found["arn"] == f"arn:aws:logs:us-east-1:000000000000:log-group:{group}:*"
    assert before - 1000 <= found["creationTime"] <= time.time() * 1000 + 1000

    [stream] = logs.describe_log_streams(logGroupName=group)["logStreams"]
    assert "[$LATEST]" in stream["logStreamName"]
    events = logs.get_log_events(
        logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True
    )
    lines = [event["message"].rstrip("\n") for event in events["events"]]
    assert re.match(r"(INIT|RESTORE)_START Runtime Version: nodejs:20\.v[\d.]+\tRuntime Version ARN: "
                    r"arn:aws:lambda:us-east-1::runtime:[0-9a-f]{64}\tStart: \w", lines[0])
    assert lines[1].startswith("START RequestId: ")
    assert lines[2].endswith("\tINFO\tplain line")
    assert lines[3].endswith('\tWARN\t{"level":"warn","n":7}')
    assert lines[4].endswith("\tERROR\tERROR it broke")
    assert lines[5].startswith("END RequestId: ")
    assert lines[6].startswith("REPORT RequestId: ")
    times = [event["timestamp"] for event in events["events"]]
    assert times == sorted(times)
    assert before <= times[0]

    # At the end, the token to go on with is the one that was given.
    again = logs.get_log_events(
        logGroupName=group,
        logStreamName=stream["logStreamName"],
        nextToken=events["nextForwardToken"],
    )
    assert again["events"] == []
    assert again["nextForwardToken"] == events["nextForwardToken"]


@pytest.mark.parametrize(
    ("pattern", "count"),
    [
        ("", 7),
        ("plain", 1),
        ("plain line", 1),
        ('"plain line"', 1),
        ("ERROR", 1),
        ("error", 0),  # a pattern is case-sensitive
        ("?plain ?broke", 2),
        ("RequestId -END", 2),
    ],
)
def test_filter_patterns(logs, written, pattern, count):
    group, _ = written
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=group, filterPattern=pattern
    )
    assert sum(len(page["events"]) for page in pages) == count


def test_only_a_span_of_time(logs, written):
    group, before = written
    assert logs.filter_log_events(logGroupName=group, endTime=before - 1)["events"] == []
    assert len(logs.filter_log_events(logGroupName=group, startTime=before)["events"]) == 7


def test_a_group_and_a_stream_made_by_hand(logs, name):
    logs.create_log_group(logGroupName=name)
    with pytest.raises(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_group(logGroupName=name)
    logs.create_log_stream(logGroupName=name, logStreamName="s")
    [stream] = logs.describe_log_streams(logGroupName=name, logStreamNamePrefix="s")["logStreams"]
    assert stream["logStreamName"] == "s"
    assert logs.get_log_events(logGroupName=name, logStreamName="s")["events"] == []


def test_a_group_that_is_not_there(logs, name):
    with pytest.raises(logs.exceptions.ResourceNotFoundException) as caught:
        logs.filter_log_events(logGroupName=name)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
