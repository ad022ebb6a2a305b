"""The list of a community's devices: one by one or many from a table, and nobody else's."""

from typing import Any

from hypothesis import given, strategies as st
import pytest

from cloud.hub.devices.device import Device
from cloud.hub.devices.listing import sheet as sheets
from cloud.hub.devices.listing.http import CHOSEN_MAX, ROWS_TOLD
from cloud.hub.devices.listing.sheet import ROWS_MAX, BadSheet, Sheet, read
from cloud.hub.devices.store import device_of, devices_through, hub_device_table, sender_of_device
from cloud.hub.events.store import hub_event_table
from cloud.hub.logins.store import hub_login_table
from tests.cloud.conftest import COMMUNITY, Cloud, Reply, Site
from tests.cloud.people import HILLSIDE, MANAGER, OPERATOR, everything

from .ground import first_contact, listed, registered

DEVICES = f"/v1/communities/{COMMUNITY}/devices"
TABLE = "device,kind,name,maker,latitude,longitude\r\nm-1,meter,Hall,Acme,52.5200081,-13.4\r\nm-2,solar,,,,\r\n"


async def send(cloud: Cloud, table: str | bytes, community: str = COMMUNITY) -> Reply:
    """Send a table of devices."""
    raw = table.encode() if isinstance(table, str) else table
    path, token = f"/v1/communities/{community}/devices/import", OPERATOR.token(cloud)
    return await cloud.call("POST", path, token=token, data=raw, headers={"Content-Type": "text/csv"})


async def test_a_device_is_listed_read_changed_and_taken_off(cloud: Cloud, site: Site) -> None:
    """By the manager of the community; each change is in the event log with who did it."""
    body = {"device": "meter-1", "kind": "meter", "name": "山田 <b>&", "site": site.site, "format": "unified"}
    added = await MANAGER.call(cloud, "POST", "devices", body)
    assert added.status == 201
    assert len(added.json["initial_password"]) == 22
    seen = (await MANAGER.call(cloud, "GET", "devices/meter-1")).json
    assert (seen["name"], seen["registered_at"], seen["state"]) == ("山田 <b>&", None, "awaited")
    place = {"latitude_e6": 52_520_008, "longitude_e6": 13_404_954, "maker": "Acme", "format": None}
    changed = await MANAGER.call(cloud, "PATCH", "devices/meter-1", place)
    assert {name: changed.json[name] for name in place} == place
    assert changed.json["site"] == site.site
    assert (await MANAGER.call(cloud, "PATCH", "devices/meter-1", place)).json == changed.json
    assert (await MANAGER.call(cloud, "DELETE", "devices/meter-1")).status == 204
    assert (await MANAGER.call(cloud, "GET", "devices/meter-1")).problem == "not-found"
    rows = await cloud.rows(hub_event_table, device="meter-1")
    assert [row.detail for row in sorted(rows, key=lambda row: row.event)] == [
        '{"what":"added"}',
        '{"what":"maker,latitude_e6,longitude_e6,format"}',
        '{"what":"removed"}',
    ]
    assert {row.who for row in rows} == {"client-manager"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "toaster"},
        {"device": "a b"},
        {"name": "a\x00b"},
        {"latitude_e6": 1},
        {"latitude_e6": 90_000_001, "longitude_e6": 0},
        {"initial_password": "short"},
        {"initial_password": "my-METER-1-secret"},
        {"initial_password": "label-7Kx-21", "source": "gateway-1"},
        {"currency": "eur"},
        {"state": "active"},
        {"name": "x" * 101},
    ],
)
@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_a_device_that_makes_no_sense_is_refused_by_name(cloud: Cloud, wrong: dict[str, Any]) -> None:
    """And nothing of it is kept."""
    await cloud.found()
    reply = await cloud.operator("POST", f"{COMMUNITY}/devices", {"device": "meter-1", "kind": "meter"} | wrong)
    assert reply.problem == "malformed"
    assert await cloud.count(hub_device_table) == await cloud.count(hub_login_table) == 0


async def test_an_id_is_given_once_in_the_whole_hub(cloud: Cloud) -> None:
    """Whether it is one's own or another community's, in the same words; and a site must be one's own."""
    await cloud.found()
    await cloud.found(HILLSIDE)
    await listed(cloud, "here")
    await listed(cloud, "there", community=HILLSIDE)
    replies = [
        await MANAGER.call(cloud, "POST", "devices", {"device": name, "kind": "meter"}) for name in ("here", "there")
    ]
    assert [(one.problem, one.json["detail"]) for one in replies] == [
        ("device-taken", "choose another id, or look it up on your list")
    ] * 2
    nowhere = await MANAGER.call(cloud, "POST", "devices", {"device": "new", "kind": "meter", "site": "nowhere"})
    assert nowhere.problem == "unprocessable"
    assert (await cloud.operator("POST", "nowhere/devices", {"device": "new", "kind": "meter"})).problem == "not-found"
    assert await cloud.count(hub_login_table) == 2


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_a_device_of_another_community_is_not_there(cloud: Cloud) -> None:
    """Whatever is done to it: the same as to one that does not exist, and nothing changes."""
    await cloud.found()
    await cloud.found(HILLSIDE)
    await registered(cloud, "far", community=HILLSIDE)
    before = await everything(cloud)
    for method, rest, body in (
        ("GET", "", None),
        ("PATCH", "", {"name": "Mine"}),
        ("DELETE", "", None),
        ("POST", "/initial", {}),
        ("POST", "/password", None),
        ("POST", "/revoke", None),
    ):
        replies = [await MANAGER.call(cloud, method, f"devices/{name}{rest}", body) for name in ("far", "nil")]
        details = {reply.json["detail"].replace("far", "nil") for reply in replies}
        assert ({reply.problem for reply in replies}, len(details)) == ({"not-found"}, 1)
    assert await everything(cloud) == before


async def test_a_device_that_was_heard_of_stays_on_the_list(cloud: Cloud) -> None:
    """The record may name it; it is revoked instead, and stays when it is awaited again."""
    await cloud.found()
    await registered(cloud, "meter-1")
    assert (await MANAGER.call(cloud, "GET", "devices/meter-1")).json["registered_at"] == "2026-11-21T12:00:00Z"
    assert (await MANAGER.call(cloud, "DELETE", "devices/meter-1")).problem == "device-heard"
    assert (await MANAGER.call(cloud, "POST", "devices/meter-1/revoke")).status == 204
    await listed(cloud, "talked")
    initial = (await MANAGER.call(cloud, "POST", "devices/talked/initial", {})).json["initial_password"]
    assert (await first_contact(cloud, "talked", initial, message={"text": "what?"})).status == 201
    assert (await MANAGER.call(cloud, "POST", "devices/talked/revoke")).status == 204
    assert (await MANAGER.call(cloud, "POST", "devices/talked/initial", {})).status == 201
    assert (await MANAGER.call(cloud, "DELETE", "devices/talked")).problem == "device-heard"


async def test_the_list_is_paged_and_picked_from(cloud: Cloud) -> None:
    """By kind, state and source."""
    await cloud.found()
    for number in range(5):
        await listed(cloud, f"m-{number}", kind="solar" if number % 2 else "meter")
    await listed(cloud, "behind", source="gateway-1")
    first = (await MANAGER.call(cloud, "GET", "devices?limit=4")).json
    rest = (await MANAGER.call(cloud, "GET", f"devices?limit=4&after={first['next']}")).json
    names = [device["device"] for page in (first, rest) for device in page["devices"]]
    assert (names, rest["next"]) == (["behind", "m-0", "m-1", "m-2", "m-3", "m-4"], None)
    for asked, wanted in (
        ("kind=solar", ["m-1", "m-3"]),
        ("state=active", ["behind"]),
        ("source=gateway-1", ["behind"]),
    ):
        found = (await MANAGER.call(cloud, "GET", f"devices?{asked}")).json["devices"]
        assert [device["device"] for device in found] == wanted
    assert (await MANAGER.call(cloud, "GET", "devices?kind=toaster")).problem == "malformed"


async def test_a_gateway_speaks_for_the_devices_read_through_it(cloud: Cloud) -> None:
    """And for no other; not for one that was revoked."""
    await cloud.found()
    await registered(cloud, "gateway-1", kind="sensor", format="unified")
    await listed(cloud, "other")
    for name in ("behind-1", "behind-2"):
        added = await listed(cloud, name, source="gateway-1")
        assert (added.json["initial_password"], added.json["state"]) == (None, "active")
    assert (await MANAGER.call(cloud, "POST", "devices/behind-2/revoke")).status == 204
    sender = await cloud.database.read(sender_of_device, COMMUNITY, "gateway-1")
    assert (sender.who, sender.default, sender.format) == ("gateway-1", "gateway-1", "unified")
    assert dict(sender.devices) == {"gateway-1": "gateway-1", "behind-1": "behind-1"}
    assert await cloud.database.read(devices_through, COMMUNITY, "other") == {}
    refused = await MANAGER.call(cloud, "POST", "devices/behind-1/initial", {})
    assert refused.problem == "unprocessable"
    alone = await MANAGER.call(cloud, "PATCH", "devices/behind-1", {"source": None})
    assert alone.json["state"] == "awaited"
    assert (await MANAGER.call(cloud, "POST", "devices/behind-1/initial", {})).status == 201


async def test_a_table_is_taken_whole_and_the_same_again_changes_nothing(cloud: Cloud) -> None:
    """Passwords are drawn for those that come without, and shown once."""
    await cloud.found()
    first = await send(cloud, TABLE)
    assert (first.status, first.json["created"], first.json["existed"]) == (201, 2, 0)
    passwords = {one["device"]: one["initial_password"] for one in first.json["passwords"]}
    hall = await cloud.database.read(device_of, COMMUNITY, "m-1")
    assert hall == Device(COMMUNITY, "m-1", "meter", "Hall", "Acme", None, 52_520_008, -13_400_000)
    before = await everything(cloud)
    again = await send(cloud, TABLE)
    assert (again.status, again.json["existed"], again.json["passwords"]) == (200, 2, [])
    assert await everything(cloud) == before
    more = await send(cloud, TABLE + "m-3,load,,,,\r\n")
    assert (more.status, more.json["created"], more.json["existed"]) == (201, 1, 2)
    assert (await first_contact(cloud, "m-2", passwords["m-2"])).status == 201


async def test_one_bad_row_and_nothing_is_kept(cloud: Cloud) -> None:
    """Each bad row is named with its number as a spreadsheet shows it, so that a mended file can be sent again."""
    await cloud.found()
    await cloud.found(HILLSIDE)
    await listed(cloud, "there", community=HILLSIDE)
    await listed(cloud, "here", name="Other")
    rows = [
        "device;kind;site;initial_password;latitude;longitude",
        "good;meter;;;52,5;13,4",
        "bad id;meter;;;;",
        "no-kind;toaster;;;;",
        "twice;meter;;;;",
        "twice;meter;;;;",
        "there;meter;;;;",
        "here;meter;;;;",
        "lost;meter;nowhere;;;",
        "p-1;meter;;same-for-all;;",
        "p-2;meter;;same-for-all;;",
        "half;meter;;;52,5;",
        "cells;meter",
        ";;;;;",
    ]
    before = await everything(cloud)
    reply = await send(cloud, "\n".join(rows))
    assert (reply.status, reply.problem) == (422, "import-refused")
    assert [(row["row"], row["reason"]) for row in reply.json["rows"]] == [
        *((3, "malformed"), (4, "malformed"), (5, "twice"), (6, "twice"), (7, "device-taken"), (8, "other-device")),
        *((9, "no-site"), (10, "password-twice"), (11, "password-twice"), (12, "malformed"), (13, "cells")),
    ]
    assert "same-for-all" not in reply.raw.decode()
    assert await everything(cloud) == before


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_chosen_passwords_are_bounded_and_register(cloud: Cloud) -> None:
    """Hashing them takes time: a few hundred at once would keep everybody else waiting."""
    await cloud.found()
    few = "device,kind,initial_password\nm-1,meter,label-7Kx-21\nm-2,meter,label-9Qz-33\n"
    reply = await send(cloud, few)
    assert (reply.status, reply.json["passwords"]) == (201, [])
    assert (await first_contact(cloud, "m-1", "label-7Kx-21")).status == 201
    many = "device,kind,initial_password\n" + "".join(f"x-{n},meter,label-{n}-7Kx\n" for n in range(CHOSEN_MAX + 1))
    assert (await send(cloud, many)).problem == "import-refused"
    assert await cloud.count(hub_device_table) == 2


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_a_huge_table_is_taken_or_refused_and_never_half(cloud: Cloud) -> None:
    """Ten thousand rows at once; more are refused, and so is what is larger than any request may be."""
    await cloud.found()
    rows = [f"m-{n},meter" for n in range(ROWS_MAX + 1)]
    over = await send(cloud, "device,kind\n" + "\n".join(rows))
    assert over.problem == "import-refused"
    full = await send(cloud, "device,kind\n" + "\n".join(rows[:-1]))
    assert (full.status, full.json["created"], len(full.json["passwords"])) == (201, ROWS_MAX, ROWS_MAX)
    assert await cloud.count(hub_login_table) == await cloud.count(hub_device_table) == ROWS_MAX
    bad = await send(cloud, "device,kind\n" + "\n".join(f"bad {n},meter" for n in range(ROWS_TOLD + 100)))
    assert len(bad.json["rows"]) == ROWS_TOLD
    assert (await send(cloud, b"device,kind\n" + b"x" * 2**20)).problem == "body-too-large"


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "no column of ours"),
        (b"\xff\xfed\x00e\x00v\x00", "not UTF-8"),
        ("device,kind\nm-1,Zähler".encode("latin-1"), "not UTF-8"),
        (b"device,kind\nm-1,meter\x00", "NUL"),
        (b"device\nm-1", "does not name the column kind"),
        (b"device,kind,device\n", "twice"),
        (b"device,kind,secret\n", "'secret'"),
        (b'device,kind\n"m-1,meter', "no table"),
        (b"=cmd|'/c calc'!A1,kind\n", "no column of ours"),
    ],
)
def test_what_is_no_table_of_devices_is_refused_with_the_reason(raw: bytes, why: str) -> None:
    """By the byte, the column or the rule."""
    found = read(raw)
    assert isinstance(found, BadSheet)
    assert why in found.why


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_tables_as_spreadsheets_write_them_are_read(delimiter: str, mark: str, end: str) -> None:
    """With any of three delimiters, with a byte order mark or none, with names in capitals and quotes."""
    inner = "," if delimiter == "\t" else delimiter  # a name holds no tab
    rows = [["Device", '"KIND"', "name"], ["m-1", "meter", f'"a{inner}b"'], ["", "", ""], ["m-2", "load", " x "]]
    found = read((mark + end.join(delimiter.join(row) for row in rows)).encode())
    assert isinstance(found, Sheet)
    assert {number: (body.device, body.name) for number, body in found.rows.items()} == {
        2: ("m-1", f"a{inner}b"),
        4: ("m-2", "x"),
    }


def test_a_cell_that_a_spreadsheet_would_run_is_a_text_like_any_other() -> None:
    """It is neither run nor changed here; tables that we write put a mark before it."""
    found = read(b"device,kind,name\nm-1,meter,=1+1\n")
    assert isinstance(found, Sheet)
    assert found.rows[2].name == "=1+1"


@pytest.mark.parametrize("cell", ["north", "90.1", "nan", "1e999999"])
def test_a_place_is_refused_by_the_name_of_its_column(cell: str) -> None:
    """Not by the name it is kept under, which no spreadsheet has."""
    sheet = read(f"device,kind,latitude,longitude\nm-1,meter,{cell},13.4".encode())
    assert isinstance(sheet, Sheet)
    [bad] = sheet.bad
    assert (bad.row, bad.reason) == (2, "malformed")
    assert bad.why == "latitude: is not a number of degrees from -90 to 90"


@given(st.binary(max_size=200), st.sampled_from([b"", b"device,kind\n", b"device;kind;latitude;longitude\nm;meter;"]))
def test_whatever_bytes_come_they_are_a_table_or_not(raw: bytes, head: bytes) -> None:
    """Nothing makes the reader fail, and every row is either good or named."""
    found = sheets.read(head + raw)
    if isinstance(found, Sheet):
        assert all(row.row >= 2 and row.why for row in found.bad)
        assert all(body.device and body.kind for body in found.rows.values())
