"""Formats are registered, tried, changed and retired; each version stays, and ours are nobody's to change."""

from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given
import pytest

from cloud.database import Database
from cloud.hub.events.store import hub_event_table
from cloud.hub.formats import store
from cloud.hub.formats.book import read
from cloud.hub.formats.builtin import BUILT_IN
from cloud.hub.formats.definition import Definition
from cloud.hub.messages.message import Parsed
from cloud.hub.messages.store import hub_message_table
from cloud.hub.readings.store import hub_reading_table
from tests.cloud.conftest import NOON, Cloud
from tests.cloud.people import MANAGER, OPERATOR, UPPER
from tests.cloud.test_fuzz import BOUNDED, broken

from .ground import registered

FORMATS = "/v1/hub/formats"
ACME: dict[str, Any] = {
    "name": "Acme meter",
    "find": [{"path": "maker", "equals": "acme"}],
    "parse": {"kind": "json", "rows": "meters"},
    "device": {"path": "serial"},
    "values": [{"quantity": "power", "path": "kw", "unit": "kW"}],
}
TABLE = {"name": "T", "parse": {"kind": "csv"}, "values": [{"quantity": "power", "path": "w", "unit": "W"}]}
MESSAGE = (
    '{"maker": "acme", "meters": [{"serial": "a", "kw": 1.5}, {"serial": "a", "kw": 2}, {"serial": "b", "kw": "x"}]}'
)

only_sqlite = pytest.mark.parametrize("store", ["sqlite"], indirect=True)


def definition(**members: Any) -> Definition:
    """Return a definition with other members."""
    return Definition.model_validate(ACME | members)


async def test_a_version_is_kept_for_ever_and_the_same_again_changes_nothing(
    open_database: Callable[[Path], Database], tmp_path: Path
) -> None:
    """The mark grows with every change, so that others know when to look."""
    database = open_database(tmp_path)
    marks = [await database.read(store.book_mark)]

    async def put(name: str, at: int) -> tuple[int, bool]:
        put = await database.write(store.put_format, "acme", definition(name=name), "otto", at)
        assert put != "too-many"
        marks.append(await database.read(store.book_mark))
        return put.kept.version, put.new

    assert [await put(name, at) for at, name in enumerate(("One", "One", "Two", "One"))] == [
        (1, True),
        (1, False),
        (2, True),
        (3, True),
    ]
    assert marks[0] < marks[1] == marks[2] < marks[3] < marks[4]
    retired = await database.write(store.retire, "acme", "otto", NOON)
    assert retired is not None
    assert (retired.version, retired.retired_at) == (3, NOON)
    assert await database.read(store.book_mark) > marks[4]
    assert await put("One", 9) == (4, True)  # registered again, it is in use again
    versions = await database.read(store.versions_of, "acme")
    assert [(kept.version, kept.definition.name, kept.retired_at) for kept in versions] == [
        (1, "One", NOON),
        (2, "Two", NOON),
        (3, "One", NOON),
        (4, "One", None),
    ]
    book = await database.read(store.book_of)
    assert (book.formats["acme"].version, set(book.formats)) == (4, {*BUILT_IN, "acme"})


async def test_a_retired_format_reads_nothing(open_database: Callable[[Path], Database], tmp_path: Path) -> None:
    """And a code that never was cannot be retired."""
    database = open_database(tmp_path)
    await database.write(store.put_format, "acme", definition(), "otto", NOON)
    assert isinstance(read(await database.read(store.book_of), MESSAGE.encode(), NOON * 1000), Parsed)
    await database.write(store.retire, "acme", "otto", NOON)
    said = read(await database.read(store.book_of), MESSAGE.encode(), NOON * 1000, hint="acme")
    assert isinstance(said, tuple)
    assert said[0].why == "the format acme is no longer in use"
    assert await database.write(store.retire, "other", "otto", NOON) is None


async def test_one_kept_definition_that_is_no_longer_understood_stops_no_other(
    open_database: Callable[[Path], Database], tmp_path: Path
) -> None:
    """An older program allowed more; the log says which it is."""
    database = open_database(tmp_path)
    await database.write(store.put_format, "acme", definition(), "otto", NOON)
    old = {
        "format": "old",
        "version": 1,
        "definition": '{"name":"x"}',
        "made_at": 0,
        "made_by": "o",
        "retired_at": None,
    }
    await database.write(lambda conn: conn.execute(store.hub_format_table.insert().values(old)))
    assert "acme" in (await database.read(store.book_of)).formats
    assert "old" not in (await database.read(store.book_of)).formats


async def test_an_operator_registers_a_format_and_others_read_it(cloud: Cloud) -> None:
    """201 the first time, 200 when it stood so, in the list beside ours; each change is an event."""
    assert (await OPERATOR.call(cloud, "PUT", f"{FORMATS}/acme", ACME)).status == 201
    assert (await OPERATOR.call(cloud, "PUT", f"{FORMATS}/acme", ACME)).status == 200
    await cloud.found()
    changed = await OPERATOR.call(cloud, "PUT", f"{FORMATS}/acme", ACME | {"name": "Acme meter 2"})
    assert (changed.status, changed.json["version"], changed.json["built_in"]) == (201, 2, False)
    for caller in (MANAGER, UPPER):
        listed = (await caller.call(cloud, "GET", FORMATS)).json["formats"]
        assert [item["format"] for item in listed] == sorted({*BUILT_IN, "acme"})
    versions = (await UPPER.call(cloud, "GET", f"{FORMATS}/acme")).json["versions"]
    assert [version["definition"]["name"] for version in versions] == ["Acme meter", "Acme meter 2"]
    own = (await UPPER.call(cloud, "GET", f"{FORMATS}/elexon-ssp-csv")).json["versions"][0]
    assert (own["built_in"], own["definition"]["time"]["zone"]) == (True, "Europe/London")
    retired = await OPERATOR.call(cloud, "POST", f"{FORMATS}/acme/retire")
    assert (retired.status, retired.json["retired_at"] is None) == (200, False)
    told = [row.kind for row in await cloud.rows(hub_event_table)]
    assert told.count("format-changed") == 3


@only_sqlite
async def test_pages_of_formats_follow_one_another(cloud: Cloud) -> None:
    """Ours and registered ones in one order."""
    for code in ("acme", "zeta"):
        await OPERATOR.call(cloud, "PUT", f"{FORMATS}/{code}", ACME)
    found, after = [], ""
    while True:
        page = (await OPERATOR.call(cloud, "GET", f"{FORMATS}?limit=5&after={after}")).json
        found += [item["format"] for item in page["formats"]]
        if page["next"] is None:
            break
        after = page["next"]
    assert found == sorted({*BUILT_IN, "acme", "zeta"})


@only_sqlite
@pytest.mark.parametrize(
    ("call", "body", "status", "words"),
    [
        (("PUT", "unified"), ACME, 409, "the hub's own"),
        (("POST", "unified/retire"), None, 409, "the hub's own"),
        (("POST", "acme/retire"), None, 404, "no format acme"),
        (("GET", "acme"), None, 404, "no format acme"),
        (("PUT", "acme"), ACME | {"values": []}, 400, "values"),
        (("PUT", "acme"), ACME | {"surprise": 1}, 400, "surprise"),
        (("PUT", "acme"), ACME | {"point": {"constant": "\ud800"}}, 400, "point.constant"),
        (("PUT", "acme"), ACME | {"time": {"path": "t", "zone": "Mars/Phobos"}}, 422, "time.zone"),
        (("POST", "dry-run"), {"definition": ACME}, 400, "text or base64"),
        (("POST", "dry-run"), {"base64": "%"}, 400, "base64"),
    ],
)
async def test_what_cannot_be_is_refused_by_name(
    cloud: Cloud, call: tuple[str, str], body: Any, status: int, words: str
) -> None:
    """Ours stay ours, and a wrong definition says where."""
    method, path = call
    reply = await OPERATOR.call(cloud, method, f"{FORMATS}/{path}", body)
    assert (reply.status, words in reply.json["detail"]) == (status, True), reply.json


@only_sqlite
async def test_a_dry_run_shows_what_would_be_kept_and_keeps_nothing(cloud: Cloud) -> None:
    """The readings in their units, and each row that is not taken with its reason; two words on one time are one."""
    reply = await OPERATOR.call(cloud, "POST", f"{FORMATS}/dry-run", {"definition": ACME, "text": MESSAGE})
    assert reply.status == 200
    said = reply.json
    assert (said["found"], said["format"], said["count"]) == (["dry-run"], "dry-run", 1)
    (reading,) = said["readings"]
    assert {name: reading[name] for name in ("device", "quantity", "unit", "value", "timed", "row")} == {
        "device": "a",
        "quantity": "power",
        "unit": "mW",
        "value": 1_500_000,
        "timed": "received",
        "row": 0,
    }
    assert [(fault["row"], fault["reason"]) for fault in said["faults"]] == [(2, "not-a-number"), (1, "twice")]
    assert await cloud.rows(store.hub_format_table) == []


@only_sqlite
async def test_a_dry_run_says_exactly_why_not(cloud: Cloud) -> None:
    """The member of the definition, or what the bytes lack; and by which formats they would be found."""

    async def faults(body: dict[str, Any]) -> list[tuple[str, str]]:
        reply = await OPERATOR.call(cloud, "POST", f"{FORMATS}/dry-run", body)
        assert reply.status == 200, reply.json
        return [(fault["reason"], fault["where"]) for fault in reply.json["faults"]]

    wrong = ACME | {"values": [{"quantity": "power", "path": "kw", "unit": "V"}]}
    assert await faults({"definition": wrong, "text": "{}"}) == [("wrong-definition", "values[0].unit")]
    assert await faults({"definition": TABLE, "text": "v\n1\n"}) == [("missing-column", "w")]
    assert await faults({"text": MESSAGE}) == [("unknown-format", "")]
    assert await faults({"base64": b64encode(b"\x00\xff").decode(), "format": "ocmf"}) == [("not-text", "")]
    await OPERATOR.call(cloud, "PUT", f"{FORMATS}/acme", ACME)
    await OPERATOR.call(cloud, "PUT", f"{FORMATS}/acme-2", ACME)
    reply = await OPERATOR.call(cloud, "POST", f"{FORMATS}/dry-run", {"text": MESSAGE})
    assert (reply.json["found"], reply.json["faults"][0]["reason"]) == (["acme", "acme-2"], "ambiguous-format")


@only_sqlite
async def test_nobody_but_an_operator_registers_or_tries(cloud: Cloud) -> None:
    """Managers and upper systems read; without a token there is nothing."""
    await cloud.found()
    for caller in (MANAGER, UPPER):
        assert (await caller.call(cloud, "PUT", f"{FORMATS}/acme", ACME)).status == 403
        assert (await caller.call(cloud, "POST", f"{FORMATS}/dry-run", {"text": "{}"})).status == 403
    assert (await cloud.call("GET", FORMATS)).status == 401


WHOLE: dict[str, Any] = ACME | {
    "parse": {"kind": "json", "rows": "meters", "inner": "channels"},
    "point": {"path": "n", "of": "outer", "names": {"1": "L1"}, "default": "all"},
    "time": {"path": "t", "form": "%Y-%m-%d", "zone": "UTC", "period": {"path": "p", "minutes": 30}},
    "sent": {"path": "clock", "form": "epoch_ms", "optional": True},
    "values": [
        {"quantity": "import", "columns": "wh*", "unit": {"path": "unit"}, "factor": "0.1", "where": {"a": "b"}},
        {
            "quantity": "power",
            "path": "w",
            "unit": "W",
            "scale": {"path": "s"},
            "missing": ["-", 0],
            "sign": "export_positive",
        },
    ],
}


@only_sqlite
@BOUNDED
@given(raw=broken(WHOLE))
async def test_no_definition_breaks_the_cloud(cloud: Cloud, raw: bytes) -> None:
    """It is registered, or refused by name; tried, it says why not."""
    token = OPERATOR.token(cloud)
    assert (await cloud.call("PUT", f"{FORMATS}/acme", token=token, data=raw)).status < 500
    tried = b'{"text": "{\\"meters\\": [{\\"channels\\": [{\\"w\\": 1}]}]}", "definition": ' + raw + b"}"
    assert (await cloud.call("POST", f"{FORMATS}/dry-run", token=token, data=tried)).status < 500
    assert (await OPERATOR.call(cloud, "GET", f"{FORMATS}/unified")).status == 200


@only_sqlite
async def test_the_whole_definition_is_one(cloud: Cloud) -> None:
    """What the test above breaks is good before."""
    reply = await OPERATOR.call(cloud, "PUT", f"{FORMATS}/acme", WHOLE)
    assert reply.status == 201, reply.json


@only_sqlite
async def test_a_new_version_holds_for_what_arrives_from_then_on(cloud: Cloud) -> None:
    """At once, without a restart; what was read before says by which version."""
    await cloud.found()
    login = await registered(cloud, "meter-7")
    message = '{"maker": "acme", "meters": [{"kw": 1.5}]}'
    for version, unit in ((1, "kW"), (2, "W")):
        values = [{"quantity": "power", "path": "kw", "unit": unit}]
        await OPERATOR.call(cloud, "PUT", f"{FORMATS}/acme", ACME | {"device": None, "values": values})
        cloud.clock.forward(60)
        pushed = await cloud.call("POST", "/v1/hub/readings", data=message.encode(), headers=login.headers)
        assert pushed.status < 300, (version, pushed.json)
    kept = [(row.format, row.version) for row in await cloud.rows(hub_message_table)]
    assert sorted(kept) == [("acme", 1), ("acme", 2)]
    assert sorted(row.value for row in await cloud.rows(hub_reading_table)) == [1500, 1_500_000]
