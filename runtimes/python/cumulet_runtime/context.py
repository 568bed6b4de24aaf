"""The second argument of a handler."""

import json
from time import perf_counter
from typing import Optional

from . import log, pipe
from .errors import Fault


is_debugged = False  # whether only the host knows what time is left


class _Fields:
    """An object with a fixed list of attributes, None where nothing was given."""

    __slots__ = ()

    def __init__(self, given: dict):
        for name in self.__slots__:
            setattr(self, name, given.get(name))

    def __repr__(self) -> str:
        fields = ",".join(f"{name}={getattr(self, name)}" for name in self.__slots__)
        return f"{type(self).__name__}([{fields}])"


class CognitoIdentity(_Fields):
    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")


class Client(_Fields):
    __slots__ = (
        "installation_id",
        "app_title",
        "app_version_name",
        "app_version_code",
        "app_package_name",
    )


class ClientContext(_Fields):
    __slots__ = ("custom", "env", "client")


class LambdaContext:
    def __init__(
        self,
        function: dict,
        request_id: str,
        client: str,
        arn: str,
        began: float,
        timeout_ms: int,
    ):
        self.aws_request_id = request_id
        self.log_group_name = function["logGroupName"]
        self.log_stream_name = function["logStreamName"]
        self.function_name = function["functionName"]
        self.memory_limit_in_mb = function["memoryLimitInMB"]
        self.function_version = function["functionVersion"]
        self.invoked_function_arn = arn or function["invokedFunctionArn"]
        self.tenant_id = None
        self.client_context = _client_context(client) if client else None
        self.identity = CognitoIdentity({})
        # Our own clock and the host's may disagree about the hour, not about how long it has been.
        self._deadline = began + timeout_ms / 1000

    def get_remaining_time_in_millis(self) -> int:
        if is_debugged:  # no time passes at a breakpoint
            return pipe.time_left()
        return max(0, int((self._deadline - perf_counter()) * 1000))

    def log(self, msg) -> None:
        log.write(str(msg))

    def __repr__(self) -> str:
        names = [name for name in vars(self) if not name.startswith("_")]
        return "LambdaContext([" + ",".join(f"{n}={getattr(self, n)}" for n in names) + "])"


def _client_context(text: str) -> Optional[ClientContext]:
    try:
        given = json.loads(text)
    except ValueError as error:
        message = f"Unable to parse Client Context JSON: {error}"
        raise Fault("Runtime.LambdaContextUnmarshalError", message) from None
    if given is None:
        return None
    context = ClientContext(given)
    if context.client is not None:
        context.client = Client(context.client)
    return context
