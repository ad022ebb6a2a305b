"""How the grid is wired: a forest that holds, whatever is told of it; who was fed by what; a file all or none."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from hypothesis import given, strategies as st
import pytest
from sqlalchemy import Connection, text

from cloud import schema
from cloud.database import Database, bucket_of
from cloud.hub.devices.device import Device
from cloud.hub.devices.store import add_device, remove_device
from cloud.hub.wiring.equipment import DEPTH_MAX, Equipment, below, chain, changed, fault_of
from cloud.hub.wiring.history.store import wiring_at
from cloud.hub.wiring.http import REWIRED
from cloud.hub.wiring.rates.store import DemandRate, gone_stale, rate_and_tell, rates_of
from cloud.hub.wiring.store import NoForest, Unknown, above_of, equipment_table, pieces, put_all, sites_below
from cloud.hub.wiring.table import RowFault, read_table
from tests.cloud.conftest import COMMUNITY, NOON, Cloud, Site
from tests.cloud.ground import OpenDatabase, add_site, found
from tests.cloud.people import MANAGER, PROVIDER, UPPER

from .ground import listed

LANE = "lane"
SITES = ("home", "shop", "mill")
one_store = pytest.mark.parametrize("store", ["sqlite"], indirect=True)


class Grid:
    """A community's wiring in a database, and what its sites were told."""

    def __init__(self, database: Database) -> None:
        """Found the community."""
        self.database = database
        self.told: list[list[str]] = []

    def tell(self, _conn: Connection, _community: str, sites: Any, _now: int) -> None:
        """Note which sites were told."""
        self.told.append(sorted(sites))

    async def put(self, at: int = NOON, /, **wanted: dict[str, Any]) -> Any:
        """Tell pieces of equipment, each with its name."""
        named = {name: {"name": name, **members} for name, members in wanted.items()}
        return await self.database.write(put_all, LANE, named, by="grid", now=at, tell=self.tell)


@pytest.fixture
async def grid(open_database: OpenDatabase, tmp_path: Path) -> Grid:
    """Return a community with three sites and no equipment."""

    def begin(conn: Connection) -> None:
        found(conn, LANE)
        for site in SITES:
            add_site(conn, site, LANE)

    grid = Grid(open_database(tmp_path))
    await grid.database.write(begin)
    return grid


async def test_what_is_told_stands_and_what_is_not_named_stays(grid: Grid) -> None:
    """The same again is no change; null takes a member away."""
    await grid.put(t={"kind": "transformer", "limit_va": 100_000, "sites": ["shop", "home"]})
    await grid.put(NOON + 1, t={"sites": ["home", "shop"]})
    await grid.put(NOON + 2, t={"limit_va": None, "limit_a": 100, "nominal_mv": 230_000, "phases": 3})
    (piece,) = await grid.database.read(pieces, LANE)
    assert piece == Equipment("t", "t", ("home", "shop"), (), "transformer", None, None, 100, 230_000, 3)
    assert piece.carries_mva == 69_000_000
    assert grid.told == [["home", "shop"]]
    assert (await grid.database.read(wiring_at, LANE, NOON + 1))["t"].limit_va == 100_000
    assert (await grid.database.read(wiring_at, LANE, NOON + 2))["t"].limit_va is None


async def test_who_was_fed_by_what_at_a_time_is_known_for_ever(grid: Grid) -> None:
    """Before anything was told, nobody knows."""
    await grid.put(a={"sites": ["home"]}, b={})
    await grid.put(NOON + 60, a={"sites": []}, b={"sites": ["home"]})

    async def feeds(at: int) -> list[str]:
        wiring = await grid.database.read(wiring_at, LANE, at)
        return [name for name, piece in wiring.items() if "home" in piece.sites]

    assert [await feeds(NOON + offset) for offset in (-1, 0, 59, 60)] == [[], ["a"], ["a"], ["b"]]
    assert grid.told == [["home"], ["home"]], "once when it was hung, once when it was moved"


async def test_a_forest_stays_a_forest(grid: Grid) -> None:
    """No piece hangs below itself, however long the way round; none below what is not there; none too deep."""
    await grid.put(a={}, b={"above": "a"}, c={"above": "b"})
    wrongs: list[tuple[dict[str, Any], NoForest]] = [
        ({"a": {"above": "c"}}, NoForest("a", "ring")),
        ({"a": {"above": "a"}}, NoForest("a", "ring")),
        ({"d": {"above": "nowhere"}}, NoForest("d", "no-above")),
        ({"x": {"above": "y"}, "y": {"above": "x"}}, NoForest("x", "ring")),
    ]
    for wanted, wrong in wrongs:
        assert await grid.put(**wanted) == wrong
    deep: dict[str, Any] = {f"p{number}": {"above": f"p{number - 1}" if number else "c"} for number in range(DEPTH_MAX)}
    assert await grid.put(**deep) == NoForest(f"p{DEPTH_MAX - 3}", "too-deep")
    assert await grid.database.read(above_of, LANE) == {"a": None, "b": "a", "c": "b"}
    assert await grid.put(b={"above": None}, a={"above": "c"}) != [], "the ring is cut in the same breath"
    assert await grid.database.read(above_of, LANE) == {"a": "c", "b": None, "c": "b"}


names = st.sampled_from("abcdefg")


@given(hung=st.dictionaries(names, st.none() | names, max_size=7))
def test_what_holds_no_fault_ends_at_a_top(hung: dict[str, str | None]) -> None:
    """From every piece of a forest the way up ends, and who is below somebody has it in the way up."""
    if any(fault_of(hung, name) for name in hung):
        return
    for name in hung:
        up = chain(hung, name)
        assert hung[up[-1]] is None
        assert len(up) == len(set(up))
        assert below(hung, [name]) == {other for other in hung if name in chain(hung, other)}


async def test_sites_and_systems_that_are_not_there_are_refused(grid: Grid) -> None:
    """By name; nothing of what was told with them is kept."""
    assert await grid.put(a={}, b={"sites": ["home", "nowhere"]}) == Unknown("sites", ("nowhere",))
    assert await grid.put(a={"devices": ["ghost"]}) == Unknown("devices", ("ghost",))
    assert await grid.database.read(pieces, LANE) == []


async def test_a_system_that_was_taken_off_the_list_holds_nothing_up(grid: Grid) -> None:
    """It stays named where it was, and the piece can be changed all the same."""

    def listed(conn: Connection) -> None:
        add_device(conn, Device(LANE, "m", "meter", "M"), NOON)

    await grid.database.write(listed)
    await grid.put(a={"devices": ["m"]})
    await grid.database.write(remove_device, LANE, "m")
    (piece,) = await grid.put(a={"limit_va": 1000})
    assert (piece.devices, piece.limit_va) == (("m",), 1000)
    assert await grid.put(b={"devices": ["m"]}) == Unknown("devices", ("m",))


async def test_a_load_is_told_to_all_that_hangs_below_and_holds_for_them(grid: Grid) -> None:
    """A feeder's sites are behind its transformer too; also when what hangs where changes, and when it goes stale."""
    await grid.put(t={"sites": ["mill"]}, f={"above": "t", "sites": ["home"]}, g={"sites": ["shop"]})
    rate = DemandRate(NOON, NOON + 300, 95)
    await grid.database.write(rate_and_tell, LANE, "t", rate, provider="grid", now=NOON, tell=grid.tell)
    assert grid.told[-1] == ["home", "mill"]
    rates = {site: await grid.database.read(rates_of, LANE, site, NOON) for site in SITES}
    assert rates == {"home": [(95, NOON)], "mill": [(95, NOON)], "shop": []}
    await grid.put(g={"above": "f"})
    assert grid.told[-1] == ["shop"]
    assert await grid.database.read(rates_of, LANE, "shop", NOON) == [(95, NOON)]
    assert await grid.database.read(sites_below, LANE, "f") == ["home", "shop"]
    assert await grid.database.read(gone_stale, NOON, NOON + 300) == [(LANE, site) for site in sorted(SITES)]


def test_a_file_is_read_with_commas_or_semicolons() -> None:
    """A mark at its beginning, empty lines and cells, ids divided by spaces."""
    table = "\ufeffequipment;name;kind;above;limit_va;sites\r\nT1;Elm;transformer;;100000;home shop\r\n\r\nF1;F;;T1;;"
    assert read_table(table.encode()) == {
        "T1": {
            "name": "Elm",
            "kind": "transformer",
            "above": None,
            "limit_va": 100_000,
            "sites": ["home", "shop"],
        },
        "F1": {"name": "F", "kind": None, "above": "T1", "limit_va": None, "sites": []},
    }
    assert read_table(b'equipment,name\nT1,"Elm, Street"') == {"T1": {"name": "Elm, Street"}}


@pytest.mark.parametrize(
    ("raw", "row", "word"),
    [
        (b"", 0, "column equipment"),
        (b"name\nx", 0, "column equipment"),
        (b"equipment,name,name\n", 0, "twice"),
        (b"equipment,name,colour\n", 0, "colour"),
        (b"equipment,name\n", 0, "rows"),
        (b"equipment,name\na,b\n../x,b", 3, "identifier"),
        (b"equipment,name\na,b\na,c", 3, "twice"),
        (b"equipment,name\na,b,c", 2, "cells"),
        (b"equipment,name,limit_va\na,b,1.5", 2, "limit_va"),
        (b"equipment,name,limit_va\na,b,0", 2, "limit_va"),
        (b"equipment,name,kind\na,b,dragon", 2, "kind"),
        (b"equipment,name\na,", 2, "name"),
        (b'equipment,name\na,"open', 0, "table"),
        (b"equipment,name\n\xff,b", 0, "UTF-8"),
        (b"equipment,name\na,\x00", 2, "name"),
        (b"equipment,name\n" + b"".join(b"e%d,x\n" % number for number in range(2001)), 0, "2000"),
    ],
)
def test_a_file_that_is_wrong_is_refused_by_row(raw: bytes, row: int, word: str) -> None:
    """With the reason; the rest of it is not kept either."""
    found = read_table(raw)
    assert isinstance(found, list)
    assert found[0].row == row
    assert word in found[0].why


@given(raw=st.binary(max_size=200) | st.text(max_size=200).map(lambda rows: f"equipment,name\n{rows}".encode()))
def test_no_bytes_break_the_reader(raw: bytes) -> None:
    """Pieces, or faults."""
    match read_table(raw):
        case dict() as read:
            assert all(changed(None, name, members) for name, members in read.items())
        case list() as faults:
            assert all(isinstance(fault, RowFault) for fault in faults)


GRID = "grid/equipment"


async def test_staff_and_provider_tell_the_same_equipment(cloud: Cloud, site: Site) -> None:
    """What the provider leaves unsaid stays as staff said it; each change says whose word it was."""
    await listed(cloud, "meter-1")
    body = {"name": "Elm", "kind": "feeder", "limit_va": 50_000, "devices": ["meter-1"]}
    assert (await MANAGER.call(cloud, "PUT", f"{GRID}/F1", body)).status == 200
    cloud.clock.forward(60)
    told = await PROVIDER.call(cloud, "PUT", "/v1/provider/equipment/F1", {"name": "Elm Street", "sites": [site.site]})
    item = told.json["equipment"]
    assert (item["name"], item["limit_va"], item["devices"], item["sites"]) == (
        "Elm Street",
        50_000,
        ["meter-1"],
        [site.site],
    )
    assert (await MANAGER.call(cloud, "GET", GRID)).json["equipment"] == [item]
    changes = (await MANAGER.call(cloud, "GET", f"{GRID}/F1/changes")).json["changes"]
    assert [(change["name"], change["changed_by"]) for change in changes] == [
        ("Elm", "client-manager"),
        ("Elm Street", "client-provider"),
    ]
    assert (await MANAGER.call(cloud, "GET", f"{GRID}/F9/changes")).problem == "not-found"
    assert (await UPPER.call(cloud, "GET", GRID)).problem == "forbidden"
    ring = await MANAGER.call(cloud, "PUT", f"{GRID}/F1", {"name": "F", "above": "F1"})
    assert (ring.problem, "below itself" in ring.json["detail"]) == ("unprocessable", True)


@one_store
async def test_a_file_is_kept_whole_or_not_at_all(cloud: Cloud, site: Site) -> None:
    """By staff or a provider."""
    good = f"equipment,name,above,sites\nT1,T,,\nF1,F,T1,{site.site}\n".encode()
    headers = {"Content-Type": "text/csv"}
    for token, path in (
        (MANAGER.token(cloud), f"/v1/communities/{COMMUNITY}/{GRID}/import"),
        (PROVIDER.token(cloud), "/v1/provider/equipment/import"),
    ):
        bad = await cloud.call("POST", path, token=token, data=good + b"F2,F,nowhere,\n", headers=headers)
        assert (bad.problem, "F2" in bad.json["detail"]) == ("unprocessable", True)
        assert await cloud.count(equipment_table) == 0 or path.startswith("/v1/provider")
        kept = await cloud.call("POST", path, token=token, data=good, headers=headers)
        assert (kept.status, kept.json) == (200, {"kept": 2})
        wrong = await cloud.call("POST", path, token=token, data=b"junk\x00", headers=headers)
        assert wrong.problem == "unprocessable"


@one_store
async def test_a_load_that_staff_tells_is_kept_like_a_providers(cloud: Cloud, site: Site) -> None:
    """And the sites behind it are told through whatever the service was wired with."""
    assert callable(cloud.client.app[REWIRED])
    await MANAGER.call(cloud, "PUT", f"{GRID}/T1", {"name": "T", "sites": [site.site]})
    body = {"percent": 95, "measured_at": "2026-11-21T12:00:00Z", "valid_until": "2026-11-21T12:05:00Z"}
    assert (await MANAGER.call(cloud, "POST", f"{GRID}/T1/demand", body)).status == 201
    assert (await MANAGER.call(cloud, "POST", f"{GRID}/T1/demand", body)).status == 200
    assert (await MANAGER.call(cloud, "POST", f"{GRID}/T9/demand", body)).problem == "not-found"
    (item,) = (await PROVIDER.call(cloud, "GET", "/v1/provider/equipment")).json["equipment"]
    assert item["demand"]["percent"] == 95


OWNED = {"bucket": bucket_of(LANE), "community": LANE}
BEFORE: list[tuple[str, dict[str, object]]] = [
    (
        "community",
        {"name": "Lane", "time_zone": "UTC", "interval_seconds": 1800, "cycle_seconds": 1800, "grace_seconds": 0}
        | {"created_at": NOON},
    ),
    ("owner", {"owner": "anna", "name": "Anna", "created_at": NOON}),
    (
        "site",
        {"site": "one", "name": "One", "time_zone": "UTC", "main_owner": "anna", "time_scale": 1, "paired_at": NOON},
    ),
    ("grid_equipment", {"equipment": "T1", "name": "T", "provider": "grid", "changed_at": NOON}),
    ("grid_equipment", {"equipment": "T2", "name": "T", "provider": "grid", "changed_at": NOON}),
    ("grid_equipment_site", {"equipment": "T1", "site": "one"}),
]


def test_equipment_of_before_begins_its_history_as_it_stood(new_url: Callable[[Path], str], tmp_path: Path) -> None:
    """A database that knew transformers before wiring was kept knows them from when they were told."""
    database = Database(new_url(tmp_path))
    with database.engine.begin() as conn:
        config = Config()
        config.set_main_option("script_location", str(Path(schema.__file__).parent))
        config.attributes["connection"] = conn
        command.upgrade(config, "0014")
        for table, values in BEFORE:
            row = {**OWNED, **values}
            names = ", ".join(f":{name}" for name in row)
            conn.execute(text(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({names})"), row)
        schema.migrate(conn)
        assert wiring_at(conn, LANE, NOON - 1) == {}
        there = [Equipment("T1", "T", sites=("one",)), Equipment("T2", "T")]
        assert wiring_at(conn, LANE, NOON) == {piece.equipment: piece for piece in there}
        assert pieces(conn, LANE) == there
    database.dispose()
