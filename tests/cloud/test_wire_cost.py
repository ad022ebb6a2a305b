"""What a stranger sends costs no more time than its length: the loop that serves everybody reads it."""

from collections.abc import Callable
from contextlib import suppress
import json
import time

import pytest

from cloud.wire import BODY_BYTES_MAX, WireError
from cloud.wire.strict import load

from .conftest import Cloud

ROOM = BODY_BYTES_MAX - 100
WORST = {
    "quotes that never close": b'"' + b'\\"' * (ROOM // 2),
    "one long string of quotes": b'{"a":"' + b'\\"' * (ROOM // 2) + b'"}',
    "quotes": b'"' * ROOM,
    "backslashes": b'"' + b"\\" * ROOM,
    "opening brackets": b"[" * ROOM,
    "closing brackets": b"]" * ROOM,
    "empty lists": b'{"a":[' + b"[]," * (ROOM // 3) + b"[]]}",
    "empty objects": b'{"a":[' + b"{}," * (ROOM // 3) + b"{}]}",
    "empty strings": b'{"a":[' + b'"",' * (ROOM // 3) + b'""]}',
    "one long number": b'{"a":' + b"9" * ROOM + b"}",
    "one long fraction": b'{"a":0.' + b"9" * ROOM + b"}",
    "long numbers": b'{"a":[' + (b"9" * 4300 + b",") * (ROOM // 4301) + b"9]}",
    "short numbers": b'{"a":[' + b"9," * (ROOM // 2) + b"9]}",
    "escapes": b'{"a":"' + b"\\u0041" * (ROOM // 6) + b'"}',
    "spaces": b" " * ROOM,
    "members": b"{" + b",".join(b'"%x":1' % number for number in range(ROOM // 12)) + b"}",
}
PLAIN = b'{"a":[' + b"1234567," * (ROOM // 8) + b"9]}"
TIMES_MAX = 60  # of what plain JSON of this size costs; a reader that goes back over its text takes thousands


def cost_s(read: Callable[[bytes], object], raw: bytes) -> float:
    """Return the processor time of reading once."""
    begun = time.process_time()
    with suppress(WireError):
        read(raw)
    return time.process_time() - begun


@pytest.mark.parametrize("raw", WORST.values(), ids=WORST)
def test_the_worst_mebibyte_is_read_in_bounded_time(raw: bytes) -> None:
    """Compared with what the plain reader needs for as many bytes on this machine."""
    assert len(raw) <= BODY_BYTES_MAX
    plain_s = min(cost_s(json.loads, PLAIN) for _ in range(3))
    small_s = cost_s(load, raw[: ROOM // 32])  # a reader that goes back shows already here, and fails soon
    assert small_s < TIMES_MAX * plain_s
    assert cost_s(load, raw) < TIMES_MAX * plain_s


async def test_a_stranger_cannot_stop_the_cloud(cloud: Cloud) -> None:
    """The door for new sites reads before it knows anybody: the answer comes at once, and others are served."""
    begun = time.monotonic()
    reply = await cloud.call("POST", "/v1/sites", data=WORST["quotes that never close"])
    assert reply.problem == "malformed"
    assert (await cloud.call("GET", "/healthz")).status == 200
    assert time.monotonic() - begun < 5


DEEP = b"[" * 40


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":"' + DEEP + b'"}',
        b'{"a":"\\"' + DEEP + b'"}',
        b'{"a":"\\\\","b":' + b"[" * 31 + b"]" * 31 + b"}",
        b'{"a":' * 32 + b"1" + b"}" * 32,
    ],
)
def test_brackets_within_strings_do_not_nest(raw: bytes) -> None:
    """A quote that is escaped ends no string, and 32 deep is allowed."""
    assert load(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":"\\\\","b":' + b"[" * 32 + b"]" * 32 + b"}",
        b'{"a":"\\\\\\"","b":' + b"[" * 32 + b"]" * 32 + b"}",
        b'{"a":' * 33 + b"1" + b"}" * 33,
        DEEP,
    ],
)
def test_brackets_outside_strings_nest_32_deep(raw: bytes) -> None:
    """Whatever the strings between them hold."""
    with pytest.raises(WireError, match="nested"):
        load(raw)
