"""Schedules as a deployed `schedule` event makes them. That they fire is tested on virtual time."""

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def events(aws):
    return aws("events")


def test_a_schedule_and_its_target(events, name, function):
    arn = f"arn:aws:lambda:us-east-1:000000000000:function:{function()}"
    rule = events.put_rule(Name=name, ScheduleExpression="rate(1 day)", State="ENABLED")
    assert rule["RuleArn"] == f"arn:aws:events:us-east-1:000000000000:rule/{name}"
    found = events.describe_rule(Name=name)
    assert found["ScheduleExpression"] == "rate(1 day)"
    assert found["State"] == "ENABLED"
    assert [each["Name"] for each in events.list_rules(NamePrefix=name)["Rules"]] == [name]

    reply = events.put_targets(Rule=name, Targets=[{"Id": "f", "Arn": arn}])
    assert reply["FailedEntryCount"] == 0
    assert events.list_targets_by_rule(Rule=name)["Targets"] == [{"Id": "f", "Arn": arn}]

    with pytest.raises(ClientError):
        events.delete_rule(Name=name)  # it has a target
    assert events.remove_targets(Rule=name, Ids=["f"])["FailedEntryCount"] == 0
    events.delete_rule(Name=name)
    with pytest.raises(events.exceptions.ResourceNotFoundException):
        events.describe_rule(Name=name)


@pytest.mark.parametrize(
    "bad", ["rate(1 days)", "rate(0 minutes)", "rate(1)", "every day", "cron(* * *)", "rate(2 day)"]
)
def test_schedules_that_are_none(events, name, bad):
    with pytest.raises(ClientError) as caught:
        events.put_rule(Name=name, ScheduleExpression=bad)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert "ScheduleExpression is not valid" in caught.value.response["Error"]["Message"]
