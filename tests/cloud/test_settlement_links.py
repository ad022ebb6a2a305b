"""Sites below sites and lines between neighbours: who pays whom, and that nothing is lost on the way."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings, strategies as st
import pytest
from sqlalchemy import Connection, select

from cloud.database import Database
from cloud.ledger import store as ledger
from cloud.settlement.audit.rows.store import totals
from cloud.settlement.audit.store import audit
from cloud.settlement.direct import store as direct
from cloud.settlement.direct.agreed import Agreed, Agreement
from cloud.settlement.evidence import names_in
from cloud.settlement.interval.store import Settled, settle_intervals
from cloud.settlement.store import expected, settled_interval_table, settled_owner_interval_table
from cloud.settlement.sums.store import proof, statement_of
from cloud.sites.links import store as links
from cloud.sites.links.forest import Forest, Link, Upstreams
from cloud.sites.store import community_of
from cloud.wire import ISLAND, Quality, Tree, TreeTap, time_text

from .audited import Signer
from .conftest import COMMUNITY, Cloud, Site
from .ground import HALF_HOUR, NOON, OpenDatabase, found

END = NOON + HALF_HOUR
OWNERS = ("anna", "ben", "cleo", "sun")
ROOT = {"main": TreeTap("anna", None)}
OK: Quality = "ok"


@pytest.fixture
def database(open_database: OpenDatabase, tmp_path: Path) -> Iterator[Database]:
    """Open a database with a community."""
    opened = open_database(tmp_path)
    with opened.engine.begin() as conn:
        found(conn, owners=OWNERS)
    yield opened
    opened.dispose()


def joined(conn: Connection, name: str, seed: int, tree: Mapping[str, TreeTap]) -> Signer:
    """Let a site join."""
    site = Signer(name, tree, seed)
    site.join(conn)
    return site


def settle(conn: Connection, start: int = NOON) -> Settled | str:
    """Settle an interval of the lane."""
    community = community_of(conn, "lane")
    assert community is not None
    return settle_intervals(conn, community, [start], expected(conn, "lane"), start + HALF_HOUR)[start]


def parts(conn: Connection, start: int = NOON) -> dict[str, Any]:
    """Return every owner's part of an interval."""
    rows = conn.execute(select(settled_owner_interval_table).filter_by(start=start))
    return {row.owner: row for row in rows}


def assert_sound(conn: Connection) -> None:
    """Hold what must hold at any time, the audit among it."""
    sums = proof(conn, "lane")
    assert (sums.energy_sum_wh, sums.local_sum_wh, sums.ledger_sum_micro, sums.balance_sum_micro) == (0, 0, 0, 0)
    community, findings = community_of(conn, "lane"), list[Any]()
    assert community is not None
    audit(conn, community, totals(conn, "lane")["lane"], findings.append)
    assert findings == []
    balances = ledger.balances(conn, "lane")
    for owner in OWNERS:
        told, _ = statement_of(conn, community, owner, (NOON, NOON + 2 * HALF_HOUR), NOON + 2 * HALF_HOUR)
        assert (told.opening_micro, told.closing_micro) == (0, balances.get(f"owner:{owner}", 0))


def test_a_site_below_another_takes_from_its_owner_there(database: Database) -> None:
    """The grid sees the upper site alone; from another boundary on the lower one hangs on the grid again."""
    with database.engine.begin() as conn:
        upper = joined(conn, "upper", 1, ROOT | {"out": TreeTap("sun", "main")})
        lower = joined(conn, "lower", 2, {"main": TreeTap("ben", None)})
        assert links.put(conn, "lane", Link("lower", NOON, "upper", "out"), NOON) == "created"
        assert links.put(conn, "lane", Link("lower", END, None, None), NOON) == "created"
        for start in (NOON, END):
            upper.send(conn, start, {"main": [(1000, 0, OK)], "out": [(400, 0, OK)]}, start + HALF_HOUR)
            lower.send(conn, start, {"main": [(300, 0, OK)]}, start + HALF_HOUR)
            assert isinstance(settle(conn, start), Settled)
        assert {owner: row.net_wh for owner, row in parts(conn).items()} == {"anna": 600, "sun": 100, "ben": 300}
        assert {o: row.net_wh for o, row in parts(conn, END).items()} == {"anna": 600, "sun": 400, "ben": 300}
        grid = conn.execute(select(settled_interval_table.c.grid_wh).order_by(settled_interval_table.c.start))
        assert grid.scalars().all() == [-1000, -1300]
        assert_sound(conn)


def test_a_link_that_cannot_be_is_refused(database: Database) -> None:
    """Unknown sites and taps, itself, loops, beside a boundary, and what is settled."""
    with database.engine.begin() as conn:
        sites = [joined(conn, name, seed, ROOT) for seed, name in enumerate(("a", "b", "c"), start=1)]

        def put(site: str, upstream: str | None, tap: str | None = "main", at: int = NOON) -> str:
            return links.put(conn, "lane", Link(site, at, upstream, None if upstream is None else tap), NOON)

        assert put("nowhere", "a") == "no-site"
        assert put("a", "nowhere") == "no-upstream"
        assert put("a", "b", "attic") == "no-tap"
        assert put("a", "a") == "itself"
        assert put("a", "b", at=NOON + 1) == "off-boundary"
        assert put("a", "b") == "created"
        assert put("b", "c", at=END) == "created"
        assert put("c", "a") == "loop"
        assert put("c", "a", at=END) == "loop"
        assert put("c", "a", at=NOON - HALF_HOUR) == "loop"
        assert put("a", "b") == "exists"
        assert put("a", None) == "replaced"
        assert put("c", "a") == "created"
        for site in sites:
            site.send(conn, NOON, {"main": [(1, 0, OK)]}, END)
        assert isinstance(settle(conn), Settled)
        assert put("a", "b") == "settled"
        assert put("a", None) == "exists"
        assert put("b", "a", at=END) == "replaced"


def test_the_owner_upstream_is_the_one_of_the_interval() -> None:
    """By the newest tree valid then and known by then; a tap that is gone counts as it was last."""
    first, second = (Tree("u", rev, at, {"t": TreeTap(o, None)}) for rev, at, o in ((1, 100, "anna"), (2, 200, "ben")))
    third = Tree("u", 3, 300, {"other": TreeTap("sun", None)})
    upstreams = Upstreams(Forest.of([Link("s", 50, "u", "t")]), {"u": ((10, first), (500, second), (600, third))})
    asked = [(0, 999), (60, 999), (150, 999), (250, 999), (350, 999), (250, 400)]
    assert [upstreams.owner("s", *at) for at in asked] == [None, "anna", "anna", "ben", "ben", "anna"]


NAMES = "abcde"


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from([None, *NAMES]), st.integers(0, 2)), max_size=8),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), min_size=5, max_size=5),
    st.permutations([*OWNERS, "anna"]),
)
def test_in_any_forest_of_sites_nothing_is_lost(
    open_database: OpenDatabase,
    tmp_path_factory: pytest.TempPathFactory,
    wanted: list[tuple[str, str | None, int]],
    energy: list[tuple[int, int]],
    owners: list[str],
) -> None:
    """Nets and the grid sum to zero, the grid is what crossed the roots that hang on it, and the audit agrees."""
    opened = open_database(tmp_path_factory.mktemp("forest"))
    with opened.engine.begin() as conn:
        found(conn, owners=OWNERS)
        sites = [
            joined(conn, name, seed, {"main": TreeTap(owner, None)})
            for seed, (name, owner) in enumerate(zip(NAMES, owners, strict=True), start=1)
        ]
        for site, upstream, number in wanted:
            tap = None if upstream is None else "main"
            links.put(conn, "lane", Link(site, NOON + number * HALF_HOUR, upstream, tap), NOON)
        forest = Forest.of(links.links_of(conn, "lane"))
        for start in (NOON, END):
            for signer, wh in zip(sites, energy, strict=True):
                signer.send(conn, start, {"main": [(*wh, OK)]}, start + HALF_HOUR)
            assert isinstance(settle(conn, start), Settled)
            roots = [wh for name, wh in zip(NAMES, energy, strict=True) if forest.above(name, start) is None]
            row = conn.execute(select(settled_interval_table).filter_by(start=start)).one()
            assert row.grid_wh == sum(exported - imported for imported, exported in roots)
        assert not forest.loops(NOON - HALF_HOUR)
        assert_sound(conn)
    opened.dispose()


LINE = {"line": TreeTap("anna", ISLAND), "next": TreeTap("ben", "line"), "last": TreeTap("cleo", "next")}


def test_neighbours_settle_over_their_own_line_between_themselves(database: Database) -> None:
    """Outside the community's share, at their price; who has no agreement joins the share as before."""
    with database.engine.begin() as conn:
        island = joined(conn, "island", 1, LINE)
        house = joined(conn, "house", 2, ROOT | {"pv": TreeTap("sun", "main")})
        assert direct.put(conn, "lane", Agreement("anna", "ben", NOON, 25_000), "25", NOON) == "created"
        island.send(conn, NOON, {"line": [(0, 0, OK)], "next": [(500, 0, OK)], "last": [(120, 0, OK)]}, END)
        house.send(conn, NOON, {"main": [(0, 100, OK)], "pv": [(0, 300, OK)]}, END)
        assert isinstance(settle(conn), Settled)
        stands = parts(conn)
        assert {o: (r.net_wh, r.direct_wh, r.direct_points_micro) for o, r in stands.items()} == {
            "anna": (200, -500, 500 * 25_000),
            "ben": (-120, 500, -500 * 25_000),
            "cleo": (120, 0, 0),
            "sun": (-300, 0, 0),
        }
        balances = ledger.balances(conn, "lane")
        assert balances["owner:anna"] == stands["anna"].points_micro + 500 * 25_000
        assert sum(balances.values()) == 0
        assert_sound(conn)


def test_what_flows_back_and_forth_is_settled_once(database: Database) -> None:
    """The balance of the interval, by who gave more; a negative price turns the points around."""
    with database.engine.begin() as conn:
        island = joined(conn, "island", 1, LINE)
        assert direct.put(conn, "lane", Agreement("anna", "ben", NOON, -1_000), "-1", NOON) == "created"
        island.send(conn, NOON, {"line": [(0, 0, OK)], "next": [(100, 340, OK)], "last": [(0, 0, OK)]}, END)
        assert isinstance(settle(conn), Settled)
        stands = parts(conn)
        assert (stands["anna"].direct_wh, stands["anna"].direct_points_micro) == (240, 240_000)
        assert stands["ben"].direct_points_micro == -240_000
        assert_sound(conn)


def test_an_agreement_ends_and_settled_ones_stand(database: Database) -> None:
    """Null from a boundary on; nothing before what is settled is changed."""
    with database.engine.begin() as conn:
        island = joined(conn, "island", 1, LINE)

        def put(at: int, price: int | None, pair: tuple[str, str] = ("anna", "ben")) -> str:
            return direct.put(conn, "lane", Agreement(*pair, at, price), None if price is None else "25", NOON)

        assert put(NOON + 1, 25_000) == "off-boundary"
        assert put(NOON, 25_000, ("anna", "nobody")) == "unknown-owner"
        assert put(NOON, 20_000) == "created"
        assert put(NOON, 25_000) == "replaced"
        assert put(END, None) == "created"
        for start in (NOON, END):
            rows = {"line": [(0, 0, OK)], "next": [(500, 0, OK)], "last": [(0, 0, OK)]}
            island.send(conn, start, rows, start + HALF_HOUR)
            assert isinstance(settle(conn, start), Settled)
        assert (parts(conn)["ben"].net_wh, parts(conn, END)["ben"].net_wh) == (0, 500)
        assert put(END, 25_000) == "settled"
        assert put(NOON, 25_000) == "exists"
        assert_sound(conn)


def test_a_price_holds_from_its_time_until_the_next() -> None:
    """For both directions of a pair, and for no other pair."""
    agreed = Agreed.of([Agreement("anna", "ben", 200, None), Agreement("anna", "ben", 100, 7)])
    assert [agreed.price(at, "ben", "anna") for at in (99, 100, 199, 200)] == [None, 7, 7, None]
    assert agreed.price(150, "anna", "cleo") is None


async def test_links_are_put_told_and_taken_back(cloud: Cloud, site: Site) -> None:
    """Through the service's own endpoints; every refusal says why."""
    other = await cloud.join()
    assert (await other.put_tree()).status == 201
    path = f"{COMMUNITY}/sites/{other.site}/upstream"
    body = {"upstream_site": site.site, "upstream_tap": "ev", "valid_from": time_text(NOON)}
    assert (await cloud.operator("GET", path)).json["upstreams"] == []
    reply = await cloud.operator("PUT", path, body)
    assert (reply.status, reply.json["result"]) == (201, "created")
    assert (await cloud.operator("PUT", path, body)).json["result"] == "exists"
    for changes, status, problem in (
        ({"upstream_site": "nobody"}, 422, "unprocessable"),
        ({"upstream_tap": "attic"}, 422, "unprocessable"),
        ({"upstream_site": other.site}, 422, "unprocessable"),
        ({"valid_from": time_text(NOON + 60)}, 422, "unprocessable"),
        ({"valid_from": "noon"}, 400, "malformed"),
    ):
        refused = await cloud.operator("PUT", path, body | changes)
        assert (refused.status, refused.problem) == (status, problem)
    back = body | {"upstream_site": other.site, "upstream_tap": "main"}
    loop = await cloud.operator("PUT", f"{COMMUNITY}/sites/{site.site}/upstream", back)
    assert (loop.status, loop.problem) == (409, "conflict")
    gone = await cloud.operator("DELETE", f"{path}?valid_from={time_text(NOON + 1800)}")
    assert (gone.status, gone.json["upstream_site"]) == (201, None)
    told = (await cloud.operator("GET", path)).json["upstreams"]
    assert [item["upstream_tap"] for item in told] == ["ev", None]
    assert (await cloud.operator("GET", f"{COMMUNITY}/sites/nobody/upstream")).problem == "not-found"


async def test_neighbours_prices_are_put_and_told(cloud: Cloud) -> None:
    """Decimal texts, in whichever order the two are named."""
    await cloud.found()
    path, body = f"{COMMUNITY}/links/{time_text(NOON)}", {"owner_a": "ben", "owner_b": "anna", "price": "25.5"}
    reply = await cloud.operator("PUT", path, body)
    assert reply.status == 201
    assert reply.json == {
        "community": COMMUNITY,
        "owner_a": "anna",
        "owner_b": "ben",
        "valid_from": time_text(NOON),
        "price_micro_per_wh": 25_500,
        "result": "created",
    }
    assert (await cloud.operator("PUT", path, body | {"price": None})).json["result"] == "replaced"
    for changes in ({"price": "1e5"}, {"owner_a": "anna"}, {"owner_a": "nobody"}):
        assert (await cloud.operator("PUT", path, body | changes)).problem == "unprocessable"
    listed = (await cloud.operator("GET", f"{COMMUNITY}/links")).json
    assert [item["price_micro_per_wh"] for item in listed["links"]] == [None]
    assert not listed["truncated"]
    assert names_in(b'{"batches":[["a",1,2,"h"]]}') == {("a", 1, 2)}
