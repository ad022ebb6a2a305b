"""From a signed batch to a statement, through the service's own endpoints."""

from dataclasses import replace

import pytest

from cloud.notice.http import BELL
from cloud.settlement.job import settle
from cloud.settlement.proof.http import STATEMENT_INTERVALS_MAX
from cloud.wire import Balance, Notice, Quality, compact_parts, digest, parse_balance, parse_notice, time_text

from .conftest import COMMUNITY, INTERVAL, NOON, Cloud, Reply, Site, columns_of

PRICES = {"local": "20", "grid_buy": "30", "grid_sell": "8"}
START = NOON - 20 * INTERVAL
ANNA, BEN, SUN = -(333 * 20_000 + 517 * 30_000), -(117 * 20_000 + 183 * 30_000), 450 * 20_000
GRID = 700 * 30_000


@pytest.fixture
async def settled(cloud: Cloud, site: Site) -> Site:
    """Let a site report three intervals, and settle them."""
    assert (await tariff(cloud, 0)).status == 201
    for raw in site.chain(3):
        assert (await site.post(raw)).status == 201
    await settle(cloud.database, NOON)  # the service's own job may have been first
    return site


async def tariff(cloud: Cloud, valid_from: int, prices: object = PRICES, community: str = COMMUNITY) -> Reply:
    """Put a tariff."""
    return await cloud.operator("PUT", f"{community}/tariffs/{time_text(valid_from)}", prices)


async def test_the_service_settles_by_itself(cloud: Cloud, site: Site) -> None:
    """A batch comes in, and within seconds the bell for notices rings."""
    assert (await tariff(cloud, 0)).status == 201
    (raw,) = site.chain(1)
    assert (await site.post(raw)).status == 201
    await cloud.client.app[BELL].rung(5)
    assert (await cloud.operator("GET", f"{COMMUNITY}/proof")).json["intervals"] == 1


@pytest.mark.usefixtures("settled")
async def test_everything_stored_sums_to_zero(cloud: Cloud) -> None:
    """Energy, trade, postings and balances; counted from the rows."""
    reply = await cloud.operator("GET", f"{COMMUNITY}/proof")
    assert reply.status == 200
    head = reply.json.pop("head")
    assert len(head) == 64
    assert reply.json == {
        "energy_sum_wh": 0,
        "local_sum_wh": 0,
        "ledger_sum_micro": 0,
        "balance_sum_micro": 0,
        "accounts_off": 0,
        "intervals": 3,
        "entries": 3,
        "postings": 12,
    }


@pytest.mark.usefixtures("settled")
async def test_a_statement_tells_intervals_sums_and_balances(cloud: Cloud) -> None:
    """Half open: what begins before `from` is in the opening balance, what begins at `to` is not in it."""
    times = f"from={time_text(START + INTERVAL)}&to={time_text(START + 3 * INTERVAL)}"
    reply = await cloud.operator("GET", f"{COMMUNITY}/owners/anna/statement?{times}")
    assert reply.status == 200
    line = {
        "seconds": INTERVAL,
        "net_wh": 850,
        "local_wh": 333,
        "grid_wh": 517,
        "direct_wh": 0,
        "local_micro_per_wh": 20_000,
        "grid_micro_per_wh": 30_000,
        "direct_points_micro": 0,
        "points_micro": ANNA,
        "quality": "ok",
        "elsewhere_wh": 0,
    }
    for number, told in enumerate(reply.json["lines"], 1):
        assert told | line | {"start": time_text(START + number * INTERVAL)} == told
        assert (len(told["blind"]), told["entry"]) == (32, number + 1)
    energy = {"net_wh": 1700, "local_wh": 666, "grid_wh": 1034, "direct_wh": 0, "points_micro": 2 * ANNA}
    others = ("corrections_micro", "movements_micro", "fees_micro", "rewards_micro")
    del reply.json["lines"]
    assert reply.json == {
        "v": 1,
        "community": COMMUNITY,
        "owner": "anna",
        "from": time_text(START + INTERVAL),
        "to": time_text(START + 3 * INTERVAL),
        "opening_micro": ANNA,
        "closing_micro": 3 * ANNA,
        "totals": energy | dict.fromkeys(others, 0),
        "intervals_waiting": 0,
        "next": None,
        **{name: [] for name in ("corrections", "movements", "transfers", "sites", "entries", "roots")},
    }


@pytest.mark.usefixtures("settled")
async def test_a_statement_without_times_is_of_the_last_day(cloud: Cloud) -> None:
    """It says how many of its intervals are not settled yet."""
    reply = await cloud.operator("GET", f"{COMMUNITY}/owners/sun/statement")
    assert (reply.json["from"], reply.json["to"]) == (time_text(NOON - 86_400), time_text(NOON))
    assert (reply.json["closing_micro"], reply.json["intervals_waiting"]) == (3 * SUN, 17)


@pytest.mark.parametrize(
    ("query", "status", "problem"),
    [
        ("from=yesterday", 400, "malformed"),
        ("to=2026-11-31T00:00:00Z", 400, "malformed"),
        ("start=2026-11-21T00:00:00Z", 400, "malformed"),
        ("from=2026-11-21T00:00:00Z&to=2026-11-21T00:00:00Z", 422, "unprocessable"),
        (
            f"from={time_text(NOON - (STATEMENT_INTERVALS_MAX + 1) * INTERVAL)}&to={time_text(NOON)}",
            422,
            "unprocessable",
        ),
    ],
)
async def test_a_statement_over_no_time_or_too_much_is_refused(
    cloud: Cloud, query: str, status: int, problem: str
) -> None:
    """Bounded, and in the calendar."""
    await cloud.found()
    reply = await cloud.operator("GET", f"{COMMUNITY}/owners/anna/statement?{query}")
    assert (reply.status, reply.problem) == (status, problem)


@pytest.mark.usefixtures("settled")
async def test_balances_are_told_with_the_grids(cloud: Cloud) -> None:
    """In pages by owner; all pages and the grid's sum to zero."""
    first = await cloud.operator("GET", f"{COMMUNITY}/balances?limit=2")
    assert first.json == {
        "balances": [
            {"owner": "anna", "name": "Anna", "balance_micro": 3 * ANNA},
            {"owner": "ben", "name": "Ben", "balance_micro": 3 * BEN},
        ],
        "grid_micro": 3 * GRID,
        "settled_through": time_text(START + 3 * INTERVAL),
        "next": "ben",
    }
    second = await cloud.operator("GET", f"{COMMUNITY}/balances?limit=2&after={first.json['next']}")
    assert [item["balance_micro"] for item in second.json["balances"]] == [3 * SUN]
    assert second.json["next"] is None
    assert 3 * (ANNA + BEN + SUN + GRID) == 0


@pytest.mark.usefixtures("settled")
async def test_settlements_are_listed_settled_and_waiting(cloud: Cloud) -> None:
    """In pages by time, up to the newest interval that has ended."""
    first = await cloud.operator("GET", f"{COMMUNITY}/settlements?limit=2")
    assert first.json["intervals"] == [
        {
            "start": time_text(START + number * INTERVAL),
            "seconds": INTERVAL,
            "state": "settled",
            "reason": None,
            "waiting_for": [],
            "settled_without": [],
            "late": 0,
            "revision": 0,
            "grid_wh": -700,
            "entry": number + 1,
        }
        for number in range(2)
    ]
    rest = await cloud.operator("GET", f"{COMMUNITY}/settlements?after={first.json['next']}")
    assert [item["state"] for item in rest.json["intervals"]] == ["settled", *["waiting"] * 17]
    assert rest.json["next"] is None


async def test_a_waiting_interval_names_the_site_it_waits_for(cloud: Cloud, settled: Site) -> None:
    """So that somebody can look after it."""
    reply = await cloud.operator("GET", f"{COMMUNITY}/settlements?after={time_text(START + 2 * INTERVAL)}&limit=1")
    (item,) = reply.json["intervals"]
    assert (item["state"], item["reason"], item["waiting_for"]) == ("waiting", "sites", [settled.site])
    assert (item["grid_wh"], item["entry"]) == (None, None)


async def test_the_site_hears_its_main_owners_balance(cloud: Cloud, settled: Site) -> None:
    """One signed notice, for the newer overtakes the older."""
    notices = [_notice(cloud, text) for text in (await settled.get("notices")).json["notices"]]
    (notice,) = [notice for notice in notices if notice.kind == "balance"]
    assert notice.site == settled.site
    assert parse_balance(notice.body) == Balance("anna", 3 * ANNA, START + 3 * INTERVAL)


def _notice(cloud: Cloud, text: str) -> Notice:
    kid, payload, _, _ = compact_parts(text)
    assert kid == cloud.key.kid
    return parse_notice(payload)


@pytest.mark.usefixtures("settled")
async def test_a_tariff_that_settled_cannot_be_changed(cloud: Cloud) -> None:
    """The same again is fine, another is refused, and so is one that would begin in what is settled."""
    assert (await tariff(cloud, 0)).json["result"] == "exists"
    refused = await tariff(cloud, 0, PRICES | {"grid_buy": "31"})
    assert (refused.status, refused.problem) == (409, "tariff-settled")
    assert (await tariff(cloud, START + INTERVAL, PRICES | {"local": None})).problem == "tariff-settled"
    assert (await tariff(cloud, START + 3 * INTERVAL, PRICES | {"local": None})).status == 201


async def test_a_tariff_is_answered_with_what_it_is_settled_by(cloud: Cloud) -> None:
    """Decimal texts, and the whole numbers they were rounded to; until used it may be replaced."""
    await cloud.found()
    reply = await tariff(cloud, NOON, {"local": None, "grid_buy": "21.0005", "grid_sell": "-0.5"})
    assert reply.status == 201
    assert {name: reply.json[name] for name in ("kind", "owner", "valid_until")} == {
        "kind": "flat",
        "owner": None,
        "valid_until": None,
    }
    assert (
        reply.json
        | {
            "community": COMMUNITY,
            "valid_from": time_text(NOON),
            "local": None,
            "grid_buy": "21.0005",
            "grid_sell": "-0.5",
            "local_micro_per_wh": None,
            "grid_buy_micro_per_wh": 21_000,
            "grid_sell_micro_per_wh": -500,
            "result": "created",
        }
        == reply.json
    )
    again = await tariff(cloud, NOON)
    assert (again.status, again.json["result"]) == (200, "replaced")


@pytest.mark.parametrize(
    ("valid_from", "prices", "status", "says"),
    [
        (NOON, PRICES | {"local": "cheap"}, 422, "local: 'cheap' is no price"),
        (NOON, PRICES | {"grid_buy": 30}, 400, "grid_buy"),
        (NOON, PRICES | {"grid_sell": None}, 400, "grid_sell"),
        (NOON, {"grid_buy": "1", "grid_sell": "1"}, 400, "local"),
        (NOON, PRICES | {"tax": "1"}, 400, "tax"),
        (NOON + 1, PRICES, 422, "boundary"),
    ],
)
async def test_nonsense_is_refused_clearly(
    cloud: Cloud, valid_from: int, prices: object, status: int, says: str
) -> None:
    """The detail names the member."""
    await cloud.found()
    reply = await tariff(cloud, valid_from, prices)
    assert (reply.status, says in reply.json["detail"]) == (status, True), reply.json


@pytest.mark.parametrize("what", ["settlements", "owners/anna/statement", "balances", "proof"])
async def test_what_is_not_there_is_not_found(cloud: Cloud, what: str) -> None:
    """A community nobody founded, and its owner."""
    assert (await cloud.operator("GET", f"nowhere/{what}")).problem == "not-found"
    assert (await tariff(cloud, NOON, community="nowhere")).problem == "not-found"


async def test_a_community_without_readings_has_empty_books(cloud: Cloud) -> None:
    """Nothing settled, nothing owed, an owner nobody knows is not found."""
    await cloud.found()
    assert (await cloud.operator("GET", f"{COMMUNITY}/settlements")).json == {"intervals": [], "next": None}
    balances = (await cloud.operator("GET", f"{COMMUNITY}/balances")).json
    assert {item["balance_micro"] for item in balances["balances"]} == {0}
    assert balances["settled_through"] is None
    statement = (await cloud.operator("GET", f"{COMMUNITY}/owners/anna/statement")).json
    assert (statement["lines"], statement["closing_micro"], statement["intervals_waiting"]) == ([], 0, 0)
    assert (await cloud.operator("GET", f"{COMMUNITY}/owners/nobody/statement")).problem == "not-found"
    assert (await cloud.operator("GET", f"{COMMUNITY}/proof")).json["entries"] == 0


async def test_a_site_may_not_read_the_books(cloud: Cloud, site: Site) -> None:
    """They are the operator's; a site hears its own balance by notice."""
    for what in ("settlements", "owners/anna/statement", "balances", "proof"):
        reply = await cloud.call("GET", f"/v1/communities/{COMMUNITY}/{what}", token=site.token)
        assert (reply.status, reply.problem) == (403, "forbidden")
        assert (await cloud.call("GET", f"/v1/communities/{COMMUNITY}/{what}")).status == 401


async def test_an_amended_batch_becomes_a_correction_on_the_statement(cloud: Cloud, site: Site) -> None:
    """Estimated at first, measured later: the site sends it again, and every step is told through the endpoints."""
    assert (await tariff(cloud, 0)).status == 201
    guessed = columns_of(START, 2)
    estimated: Quality = "estimated"
    guessed = {tap: replace(columns, quality=(estimated,) * 2) for tap, columns in guessed.items()}
    first = site.batch(count=2, taps=guessed)
    assert (await site.post(first)).json["result"] == "created"
    await settle(cloud.database, NOON)
    main = columns_of(START, 2)["main"]
    opening = main.register_wh[0][0] - main.import_wh[0]
    better = replace(main, import_wh=(1000, 400), register_wh=((opening + 1000, 0), (opening + 1400, 0)))
    second = site.batch(seq=2, prev=digest(first), count=2, taps=columns_of(START, 2) | {"main": better}, amends=True)
    assert (await site.post(second)).json["result"] == "created"
    await settle(cloud.database, NOON)
    listed = (await cloud.operator("GET", f"{COMMUNITY}/settlements?limit=2")).json["intervals"]
    assert [(item["revision"], item["late"]) for item in listed] == [(1, 0), (1, 0)]
    told = await cloud.operator("GET", f"{COMMUNITY}/owners/anna/statement?to={time_text(NOON + INTERVAL)}")
    corrections = [(item["net_wh"], item["booked_at"]) for item in told.json["corrections"]]
    assert corrections == [(300, time_text(NOON)), (-300, time_text(NOON))]
    lost = replace(better, import_wh=(999, 400), register_wh=((opening + 999, 0), (opening + 1399, 0)))
    third = site.batch(seq=3, prev=digest(second), count=2, taps=columns_of(START, 2) | {"main": lost}, amends=True)
    refused = await site.post(third)
    assert (refused.status, refused.json["reason"]) == (202, "amends-differ")
    assert (await cloud.operator("GET", f"{COMMUNITY}/proof")).json["energy_sum_wh"] == 0


@pytest.mark.parametrize("cycle", [900, 7200, 2 * 86_400, 604_801])
async def test_a_cycle_nobody_knows_is_refused(cloud: Cloud, cycle: int) -> None:
    """The interval itself, half an hour, an hour, the local day and the local week are what there is."""
    settings = {"name": "Lane", "time_zone": "Europe/Berlin", "interval_seconds": INTERVAL, "cycle_seconds": cycle}
    reply = await cloud.operator("PUT", "lane", settings)
    assert (reply.status, reply.problem) == (400, "malformed")
    for known in (INTERVAL, 3600, 86_400, 604_800):
        assert (await cloud.operator("PUT", "lane", settings | {"cycle_seconds": known})).status == 200
