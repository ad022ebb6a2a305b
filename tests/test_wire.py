"""The language between site and cloud: what is written can be read, and what is not the language is refused by name."""

import json
from typing import Any

from hypothesis import given, strategies as st
import pytest

from cloud.wire import (
    BODY_BYTES_MAX,
    GENESIS,
    ISLAND,
    TELEMETRY_QUANTITIES,
    Batch,
    Incident,
    Intervals,
    TapColumns,
    Telemetry,
    Tree,
    TreeTap,
    WireError,
    compact_header,
    compact_parts,
    detached_header,
    detached_parts,
    parse_batch,
    parse_settings,
    parse_tree,
    thumbprint,
    to_bytes,
)

identifiers = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", fullmatch=True)
energy = st.integers(0, 2**53 - 1)
times = st.integers(0, 4_000_000_000)
printable = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=40)


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """Any batch the language can say."""
    seconds = draw(st.sampled_from([60, 300, 900, 1800]))
    count = draw(st.integers(1, 4))
    column = st.tuples(*[energy] * count)
    columns = st.builds(
        TapColumns,
        owner=identifiers,
        upstream_owner=st.none() | identifiers,
        import_wh=column,
        export_wh=column,
        register_wh=st.tuples(*[st.tuples(energy, energy)] * count),
        quality=st.tuples(*[st.sampled_from(["ok", "estimated", "missing", "reset"])] * count),
    )
    taps = draw(st.dictionaries(identifiers, columns, max_size=3))
    start = draw(st.integers(0, 2_000_000)) * 1800
    incidents = st.lists(
        st.builds(Incident, times, identifiers, st.none() | identifiers, st.none() | printable), max_size=3
    )
    values = st.dictionaries(st.sampled_from(sorted(TELEMETRY_QUANTITIES)), st.integers(1 - 2**53, 2**53 - 1))
    telling = st.builds(Telemetry, times, identifiers, values, st.just("") | identifiers)
    return Batch(
        site=draw(identifiers),
        epoch=draw(st.integers(1, 9)),
        seq=draw(st.integers(1, 10**9)),
        prev=GENESIS,
        made_at=draw(times),
        intervals=Intervals(start, seconds, count, draw(st.integers(1, 99)), taps),
        incidents=tuple(draw(incidents)),
        telemetry=tuple(draw(st.lists(telling, max_size=3))),
    )


@given(batches())
def test_a_batch_is_read_as_it_was_written(batch: Batch) -> None:
    """Writing and strict reading are inverse, and the canonical bytes are a fixed point."""
    raw = to_bytes(batch)
    assert parse_batch(raw) == batch
    assert to_bytes(json.loads(raw)) == raw


SOUND = Batch(
    site="s1",
    epoch=1,
    seq=1,
    prev=GENESIS,
    made_at=1_795_000_000,
    intervals=Intervals(1_795_014_000, 1800, 1, 1, {"T1": TapColumns("a", None, (5,), (0,), ((105, 0),), ("ok",))}),
)


def altered(change: dict[str, Any]) -> bytes:
    """Return the sound batch's JSON with members of it, or of its only tap, replaced; `None` removes one."""
    data = json.loads(to_bytes(SOUND))
    for path, value in change.items():
        *parents, last = path.split(".")
        place = data
        for name in parents:
            place = place[name]
        if value is ...:
            del place[last]
        else:
            place[last] = value
    return json.dumps(data).encode()


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"v": 2}, "batch.v"),
        ({"site": "../etc"}, "batch.site"),
        ({"seq": 0}, "batch.seq"),
        ({"seq": True}, "batch.seq"),
        ({"seq": 1.0}, "body"),
        ({"seq": 2**53}, "batch.seq"),
        ({"prev": "0" * 63}, "batch.prev"),
        ({"prev": ...}, "batch.prev"),
        ({"made_at": "2026-02-30T00:00:00Z"}, "batch.made_at"),
        ({"made_at": "2026-11-21T05:30:00+09:00"}, "batch.made_at"),
        ({"intervals.start": "2026-11-21T05:30:01Z"}, "batch.intervals.start"),
        ({"intervals.seconds": 7}, "batch.intervals.start"),
        ({"intervals.count": 2}, "batch.intervals.taps.T1.import_wh"),
        ({"intervals.taps.T1.import_wh": [-1]}, "batch.intervals.taps.T1.import_wh"),
        ({"intervals.taps.T1.register_wh": [[1]]}, "batch.intervals.taps.T1.register_wh"),
        ({"intervals.taps.T1.quality": ["fine"]}, "batch.intervals.taps.T1.quality"),
        ({"intervals.taps.T1.owner": ""}, "batch.intervals.taps.T1.owner"),
        (
            {"incidents": [{"at": "2026-11-21T05:30:00Z", "kind": "reset", "detail": "a\nforged log line"}]},
            "batch.incidents",
        ),
        ({"incidents": {}}, "batch.incidents"),
        ({"telemetry": {}}, "batch.telemetry"),
        ({"telemetry": [{"at_ms": 5, "tap": "T1", "values": {}}] * 1001}, "batch.telemetry"),
        ({"telemetry": ["x"]}, "batch.telemetry"),
        ({"telemetry": [{"at_ms": -1, "tap": "T1", "values": {}}]}, "batch.telemetry.at_ms"),
        ({"telemetry": [{"at_ms": 5, "tap": "", "values": {}}]}, "batch.telemetry.tap"),
        ({"telemetry": [{"at_ms": 5, "tap": "T1", "point": "", "values": {}}]}, "batch.telemetry.point"),
        ({"telemetry": [{"at_ms": 5, "tap": "T1"}]}, "batch.telemetry.values"),
        ({"telemetry": [{"at_ms": 5, "tap": "T1", "values": {"power": True}}]}, "batch.telemetry.values.power"),
    ],
)
def test_a_wrong_member_is_named(change: dict[str, Any], where: str) -> None:
    """Whoever gets it wrong is told where."""
    with pytest.raises(WireError) as refused:
        parse_batch(altered(change))
    assert refused.value.where.startswith(where)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{",
        b'{"v":1,"v":1}',
        b'{"v":NaN}',
        b'{"v":Infinity}',
        b'{"v":1e3}',
        b'{"v":' + b"9" * 5000 + b"}",
        b"\xff\xfe{}",
        b'{"v":' + b"[" * 40 + b"]" * 40 + b"}",
        b'{"v":"' + b"x" * BODY_BYTES_MAX + b'"}',
        b"[" * 500_000,
    ],
)
def test_what_is_not_the_language_is_refused_and_nothing_else_happens(raw: bytes) -> None:
    """Junk, doubles, numbers that are none, depth and size end in one kind of error."""
    with pytest.raises(WireError):
        parse_batch(raw)


def test_members_nobody_knows_are_ignored() -> None:
    """An older reader understands a newer writer."""
    assert parse_batch(altered({"weather": "sunny", "intervals.taps.T1.phase": "L1"})) == SOUND


def tree(**parents: str | None) -> bytes:
    """Return a tree's bytes from tap=parent pairs."""
    taps = {tap: TreeTap("a", parent) for tap, parent in parents.items()}
    return to_bytes(Tree(site="s1", rev=1, valid_from=1_795_014_000, taps=taps))


def test_a_tree_may_have_roots_on_the_grid_and_on_a_private_line() -> None:
    """`None` is the grid, `island` a line that no grid feeds."""
    assert parse_tree(tree(T1=None, T2="T1", T3=ISLAND, T4="T3")).taps["T4"].parent == "T3"


@pytest.mark.parametrize(
    ("parents", "tap"), [({"T1": "T1"}, "T1"), ({"T1": "T2", "T2": "T1"}, "T1"), ({"T1": "T9"}, "T1")]
)
def test_a_tree_with_a_loop_or_a_missing_tap_is_refused(parents: dict[str, str], tap: str) -> None:
    """No tap hangs below itself or below nothing."""
    with pytest.raises(WireError) as refused:
        parse_tree(tree(**parents))
    assert refused.value.where == f"tree.taps.{tap}"


def test_settings_with_an_interval_that_does_not_divide_half_an_hour_are_refused() -> None:
    """Intervals of all sites meet on the half hour."""
    data = {"v": 1, "site": "s", "community": "c", "community_name": "C", "interval_seconds": 700, "time_scale": 1}
    with pytest.raises(WireError, match="divide"):
        parse_settings(to_bytes(data | {"main_owner": "a", "owners": {"a": "Anna"}}))


def test_a_thumbprint_is_that_of_the_standard() -> None:
    """RFC 8037, appendix A.3, gives this key and this thumbprint."""
    assert thumbprint("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo") == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "..",
        detached_header("k"),
        detached_header("k") + "..AA=",
        detached_header("k") + "..A",
        compact_header("k") + "..AA",
        detached_header("k") + ".e30.AA",
        "eyJhbGciOiJub25lIiwiYjY0IjpmYWxzZSwiY3JpdCI6WyJiNjQiXSwia2lkIjoiayJ9..AA",
        "x" * 5000,
    ],
)
def test_a_detached_signature_of_any_other_form_is_refused(signature: str) -> None:
    """There is one header per key; `none` and embedded payloads are not it."""
    with pytest.raises(WireError):
        detached_parts(signature, b"{}")


def test_signatures_are_taken_apart_into_what_was_signed() -> None:
    """Verifiers get the exact bytes, the claimed key and the signature."""
    header = detached_header("k")
    assert detached_parts(f"{header}..AAAA", b"raw") == ("k", header.encode() + b".raw", b"\x00\x00\x00")
    compact = f"{compact_header('k')}.e30.AAAA"
    assert compact_parts(compact) == ("k", b"{}", compact.rpartition(".")[0].encode(), b"\x00\x00\x00")
