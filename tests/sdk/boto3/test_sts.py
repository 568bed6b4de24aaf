"""Who am I: any credentials are the default account's."""


def test_caller_identity(aws):
    caller = aws("sts").get_caller_identity()
    assert caller["Account"] == "000000000000"
    assert caller["Arn"].split(":")[4] == "000000000000"
    assert caller["UserId"]
    assert caller["ResponseMetadata"]["RequestId"]
