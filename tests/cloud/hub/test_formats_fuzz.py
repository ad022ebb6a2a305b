"""Whatever bytes arrive, every format reads or refuses them; none breaks."""

import json
from typing import Any

from hypothesis import given, settings, strategies as st

from cloud.hub.formats.book import Book, read
from cloud.hub.formats.builtin import BUILT_IN
from cloud.hub.messages.message import Fault, Parsed
from cloud.hub.quantity import MEASURES, VALUE_MAX

from .test_format_vectors import all_vectors, book_of, bytes_of

NOON_MS = 1_795_262_400_000  # 2026-11-21T12:00:00Z
EXAMPLES = [(book_of(vector), bytes_of(vector)) for vector in all_vectors()]
HINTS = [None, "registered", *BUILT_IN]


@settings(max_examples=300, deadline=None, database=None)
@given(raw=st.binary(max_size=200), hint=st.sampled_from(HINTS))
def test_no_bytes_break_a_format(raw: bytes, hint: str | None) -> None:
    """By any code, each is read or refused."""
    _fits(read(EXAMPLES[-6][0], raw, NOON_MS, hint=hint))


@settings(max_examples=400, deadline=None, database=None)
@given(data=st.data(), example=st.sampled_from(EXAMPLES), hint=st.sampled_from(HINTS))
def test_no_mutated_message_breaks_a_format(data: st.DataObject, example: tuple[Book, bytes], hint: str | None) -> None:
    """Good messages with bytes cut out, put in and doubled, by their own format and by any other."""
    book, raw = example
    for _ in range(data.draw(st.integers(1, 3))):
        at, length = data.draw(st.integers(0, len(raw))), data.draw(st.integers(0, 8))
        put = data.draw(
            st.binary(max_size=4) | st.sampled_from([b"null", b"9" * 40, b"-1e9", b"{}", b"[]", b'""', b"1E99"])
        )
        raw = raw[:at] + put + raw[at + length :]
    _fits(read(book, raw, NOON_MS, hint=hint))


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(list("abw")), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None, database=None)
@given(data=st.data(), example=st.sampled_from([v for v in all_vectors() if "json" in v]))
def test_no_json_of_another_shape_breaks_a_format(data: st.DataObject, example: dict[str, Any]) -> None:
    """Any member may be anything."""
    message = json.loads(json.dumps(example["json"]))
    spot, last = message, None
    while isinstance(spot, (dict, list)) and spot and data.draw(st.integers(0, 4)):
        last = (spot, data.draw(st.sampled_from(list(spot) if isinstance(spot, dict) else list(range(len(spot))))))
        spot = spot[last[1]]
    if last is not None:
        last[0][last[1]] = data.draw(junk)
    _fits(read(book_of(example), json.dumps(message).encode(), NOON_MS, hint=data.draw(st.sampled_from(HINTS))))


def _fits(said: Parsed | tuple[Fault, ...]) -> None:
    """Assert that what was read can be kept, and what was refused can be told."""
    faults = said.faults if isinstance(said, Parsed) else said
    assert all(fault.reason and len(fault.why) < 400 and len(fault.where) < 250 for fault in faults)
    if isinstance(said, Parsed):
        assert len(said.rows) == len(said.readings)
        for each in said.readings:
            assert abs(each.value) <= VALUE_MAX
            assert each.seconds > 0 or MEASURES[each.quantity].shape != "interval"
            assert (each.device + each.point).isprintable()
            each.device.encode()
    else:
        assert said
