"""Results as JSON, as Lambda's Python runtime writes them: with a space behind commas and colons,
NaN as it is, decimals exactly, bytes as the text they hold.
"""

import math
from decimal import Decimal
from json import JSONEncoder
from json.encoder import c_make_encoder, encode_basestring, encode_basestring_ascii

# From these versions on Lambda writes characters as they are, before as escapes.
PLAIN_TEXT = {f"AWS_Lambda_python3.{minor}" for minor in range(12, 20)}


class _NeedsCare(Exception):
    """There is a value that the plain encoder cannot write."""


class _Raw(str):
    """Written without quotes."""


def _refuse(value):
    if isinstance(value, (Decimal, bytes)):
        raise _NeedsCare
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _careful(value):
    if isinstance(value, Decimal):
        return math.nan if value.is_nan() else _Raw(value)
    if isinstance(value, bytes):
        return value.decode()
    return _refuse(value)


_encode = JSONEncoder(ensure_ascii=False, default=_refuse).encode
_quote = encode_basestring


def setup(execution_env: str) -> None:
    global _encode, _quote
    plain = execution_env in PLAIN_TEXT
    _encode = JSONEncoder(ensure_ascii=not plain, default=_refuse).encode
    _quote = encode_basestring if plain else encode_basestring_ascii


def to_json(value) -> bytes:
    try:
        return _encode(value).encode()
    except _NeedsCare:
        pass

    def text(value: str) -> str:
        return str(value) if type(value) is _Raw else _quote(value)

    write = c_make_encoder({}, _careful, text, None, ": ", ", ", False, False, True)
    return "".join(write(value, 0)).encode()
