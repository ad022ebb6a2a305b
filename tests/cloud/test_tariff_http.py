"""Tariffs over HTTP: staff sets them, owners read their own, and what contradicts is refused by name."""

from typing import Any

import pytest

from cloud.notice.kind import PRICES as PRICES_KIND
from cloud.notice.store import notice_table
from cloud.tariff.series.store import tariff_price_table
from cloud.tariff.store import mark_used
from cloud.wire import parse_time, time_text
from cloud.wire.prices import parse_prices

from .conftest import COMMUNITY, INTERVAL, NOON, Cloud, Reply, Site, verified
from .people import ANNA, BEN, MANAGER, UPPER

FLAT = {"local": "20", "grid_buy": "30", "grid_sell": "8"}
OWN = {"grid_buy": "25", "grid_sell": "-1"}
NIGHT = {"from_time": "22:00", "to_time": "06:00", "local": "5", "grid_buy": "10", "grid_sell": "4"}
CLOCK = FLAT | {"kind": "time_of_use", "rules": [NIGHT]}
SERIES = {"kind": "series"}


async def put(cloud: Cloud, valid_from: int, body: object, owner: str | None = None) -> Reply:
    """Put a tariff as the operator."""
    whose = "" if owner is None else f"owners/{owner}/"
    return await cloud.operator("PUT", f"{COMMUNITY}/{whose}tariffs/{time_text(valid_from)}", body)


async def add(cloud: Cloud, valid_from: int, *starts: int, owner: str | None = None, **prices: Any) -> Reply:
    """Add prices of one interval each to a series."""
    whose, given = ("", FLAT) if owner is None else (f"owners/{owner}/", OWN)
    rows = [given | {"start": time_text(start), "seconds": INTERVAL} | prices for start in starts]
    path = f"{COMMUNITY}/{whose}tariffs/{time_text(valid_from)}/prices"
    return await cloud.operator("POST", path, {"prices": rows})


async def buys(cloud: Cloud, start: int, count: int, owner: str | None = None) -> list[int | None]:
    """Ask what is paid to the grid in some intervals."""
    end = time_text(start + count * INTERVAL)
    whose = "" if owner is None else f"&owner={owner}"
    reply = await cloud.operator("GET", f"{COMMUNITY}/prices?from={time_text(start)}&to={end}{whose}")
    assert reply.status == 200, reply.json
    assert [parse_time(item["start"], "start") for item in reply.json["prices"]] == [
        start + place * INTERVAL for place in range(count)
    ]
    return [item["grid_buy_micro_per_wh"] for item in reply.json["prices"]]


async def settle(cloud: Cloud, through: int, *keys: tuple[str, int]) -> None:
    """Mark tariffs as settlement does."""
    await cloud.database.write(mark_used, COMMUNITY, dict.fromkeys(keys, through))


async def test_a_tariff_by_the_clock_is_told_as_it_was_written(cloud: Cloud) -> None:
    """With its time zone, and with the whole numbers it is settled by."""
    await cloud.found()
    reply = await put(cloud, NOON, CLOCK)
    assert reply.status == 201
    assert reply.json["time_zone"] == "Europe/Berlin"
    [rule] = reply.json["rules"]
    assert {name: rule[name] for name in NIGHT} == NIGHT
    assert len(rule["weekdays"]) == 7
    assert (rule["local_micro_per_wh"], rule["grid_buy_micro_per_wh"]) == (5_000, 10_000)
    assert (await put(cloud, NOON, CLOCK)).json["result"] == "exists"
    # 22:00 in Berlin's winter is 21:00 UTC
    assert await buys(cloud, NOON + 17 * INTERVAL, 2) == [30_000, 10_000]


async def test_a_time_zone_moved_later_moves_no_rule(cloud: Cloud) -> None:
    """What was agreed by one clock is not settled by another."""
    await cloud.found()
    await put(cloud, NOON, CLOCK)
    settings = {"name": "R", "time_zone": "Asia/Tokyo", "interval_seconds": INTERVAL}
    assert (await cloud.operator("PUT", COMMUNITY, settings)).status == 200
    assert await buys(cloud, NOON + 17 * INTERVAL, 2) == [30_000, 10_000]


async def test_an_owner_has_the_grids_prices_of_its_own_and_the_local_one_of_all(cloud: Cloud) -> None:
    """Before and after its own tariff it has the community's."""
    await cloud.found()
    await put(cloud, NOON, FLAT)
    until = time_text(NOON + 2 * INTERVAL)
    reply = await put(cloud, NOON + INTERVAL, OWN | {"valid_until": until}, "anna")
    assert (reply.status, reply.json["owner"], reply.json["local"], reply.json["gaps"]) == (201, "anna", None, [])
    assert await buys(cloud, NOON, 3, "anna") == [30_000, 25_000, 30_000]
    assert await buys(cloud, NOON, 3, "ben") == [30_000] * 3
    assert await buys(cloud, NOON, 3) == [30_000] * 3
    told = await ANNA.call(cloud, "GET", f"prices?from={time_text(NOON + INTERVAL)}&to={until}")
    [price] = told.json["prices"]
    assert told.json["owner"] == "anna"
    assert (price["local_micro_per_wh"], price["grid_sell_micro_per_wh"]) == (20_000, -1_000)


async def test_a_series_has_the_prices_that_were_added(cloud: Cloud) -> None:
    """All of a call or none; the same again is counted, another word is refused, a hole is a gap."""
    await cloud.found()
    assert (await put(cloud, NOON, SERIES)).json["known_until"] is None
    reply = await add(cloud, NOON, NOON, NOON + 2 * INTERVAL)
    known = time_text(NOON + 3 * INTERVAL)
    assert (reply.status, reply.json) == (200, {"created": 2, "exists": 0, "known_until": known})
    reply = await add(cloud, NOON, NOON, NOON + 3 * INTERVAL)
    assert (reply.json["created"], reply.json["exists"]) == (1, 1)
    assert await buys(cloud, NOON, 5) == [30_000, None, 30_000, 30_000, None]
    refused = await add(cloud, NOON, NOON + INTERVAL, NOON, grid_buy="31")
    assert (refused.status, refused.problem) == (409, "price-contradicts")
    assert time_text(NOON) in refused.json["detail"]
    assert (await add(cloud, NOON, NOON + INTERVAL, seconds=2 * INTERVAL)).problem == "price-contradicts"
    assert await cloud.count(tariff_price_table) == 3
    assert (await put(cloud, NOON, SERIES)).json["result"] == "exists"
    assert (await put(cloud, NOON, FLAT)).json["result"] == "replaced"
    assert await cloud.count(tariff_price_table) == 0


@pytest.mark.parametrize(
    ("start", "changes", "status", "says"),
    [
        (NOON + 1, {}, 422, "whole intervals"),
        (NOON, {"seconds": INTERVAL + 1}, 422, "whole intervals"),
        (NOON - INTERVAL, {}, 422, "validity"),
        (NOON + 4 * INTERVAL, {}, 422, "validity"),
        (NOON, {"grid_buy": "cheap"}, 422, "prices.0.grid_buy"),
        (NOON, {"seconds": 0}, 400, "seconds"),
        (NOON, {"start": "noon"}, 400, "start"),
        (NOON, {"tax": "1"}, 400, "tax"),
    ],
)
async def test_a_price_that_fits_no_interval_of_its_series_is_refused(
    cloud: Cloud, start: int, changes: dict[str, Any], status: int, says: str
) -> None:
    """Nothing of the call is kept."""
    await cloud.found()
    await put(cloud, NOON, SERIES | {"valid_until": time_text(NOON + 4 * INTERVAL)})
    rows = [FLAT | {"start": time_text(at), "seconds": INTERVAL} for at in (start, NOON + 2 * INTERVAL)]
    rows[0] |= changes
    reply = await cloud.operator("POST", f"{COMMUNITY}/tariffs/{time_text(NOON)}/prices", {"prices": rows})
    assert (reply.status, says in reply.json["detail"]) == (status, True), reply.json
    assert await cloud.count(tariff_price_table) == 0


async def test_prices_are_added_to_a_series_only(cloud: Cloud) -> None:
    """Not to a flat tariff, not to none."""
    await cloud.found()
    await put(cloud, NOON, FLAT)
    assert (await add(cloud, NOON, NOON)).problem == "unprocessable"
    assert (await add(cloud, NOON + INTERVAL, NOON)).problem == "not-found"
    assert (await add(cloud, NOON, NOON, owner="anna")).problem == "not-found"


async def test_an_owners_series_without_a_price_is_not_settled_by_others_prices(cloud: Cloud) -> None:
    """It waits until its own is known."""
    await cloud.found()
    await put(cloud, NOON, FLAT)
    await put(cloud, NOON, SERIES, "anna")
    assert await buys(cloud, NOON, 1, "anna") == [None]
    assert (await add(cloud, NOON, NOON, owner="anna")).status == 200
    assert await buys(cloud, NOON, 2, "anna") == [25_000, None]
    assert (await add(cloud, NOON, NOON + INTERVAL, owner="anna", local="1")).status == 400


async def test_overlapping_validity_is_refused_and_says_with_which(cloud: Cloud) -> None:
    """A closed tariff is no other's time."""
    await cloud.found()
    await put(cloud, NOON, FLAT | {"valid_until": time_text(NOON + 4 * INTERVAL)})
    refused = await put(cloud, NOON + INTERVAL, FLAT)
    assert (refused.status, refused.problem) == (409, "tariff-overlaps")
    assert refused.json["stands"] == time_text(NOON)
    assert time_text(NOON + 4 * INTERVAL) in refused.json["detail"]
    assert (await put(cloud, NOON + INTERVAL, OWN, "anna")).status == 201
    assert (await put(cloud, NOON + 4 * INTERVAL, FLAT)).status == 201


async def test_a_tariff_gap_is_shown_when_it_is_made_and_when_it_is_listed(cloud: Cloud) -> None:
    """Nothing can be settled in it."""
    await cloud.found()
    end, later = time_text(NOON + 4 * INTERVAL), NOON + 6 * INTERVAL
    reply = await put(cloud, NOON, FLAT | {"valid_until": end})
    assert reply.json["gaps"] == [{"start": end, "end": None}]
    reply = await put(cloud, later, FLAT)
    assert reply.json["gaps"] == [{"start": end, "end": time_text(later)}]
    listed = await cloud.operator("GET", f"{COMMUNITY}/tariffs?limit=1")
    assert listed.json["gaps"] == reply.json["gaps"]
    assert [item["valid_until"] for item in listed.json["tariffs"]] == [end]
    rest = await cloud.operator("GET", f"{COMMUNITY}/tariffs?after={listed.json['next']}")
    assert ([item["valid_from"] for item in rest.json["tariffs"]], rest.json["next"]) == ([time_text(later)], None)
    assert await buys(cloud, NOON + 3 * INTERVAL, 4) == [30_000, None, None, 30_000]
    assert (await put(cloud, NOON + 4 * INTERVAL, FLAT)).json["gaps"] == []


async def test_prices_that_settled_something_stand(cloud: Cloud) -> None:
    """Not replaced, not deleted, not undercut by an owner's own; but a used tariff may end where it is not used yet."""
    await cloud.found()
    await put(cloud, NOON, FLAT)
    await put(cloud, NOON, OWN, "anna")
    await settle(cloud, NOON + 2 * INTERVAL, ("", NOON), ("anna", NOON))
    assert (await put(cloud, NOON, FLAT | {"grid_buy": "31"})).problem == "tariff-settled"
    assert (await put(cloud, NOON, OWN | {"grid_buy": "31"}, "anna")).problem == "tariff-settled"
    assert (await put(cloud, NOON + INTERVAL, OWN, "ben")).problem == "tariff-settled"
    assert (await put(cloud, NOON, SERIES)).problem == "tariff-settled"
    for whose in ("", "owners/anna/"):
        reply = await cloud.operator("DELETE", f"{COMMUNITY}/{whose}tariffs/{time_text(NOON)}")
        assert (reply.status, reply.problem) == (409, "tariff-settled")
    ended = await put(cloud, NOON, OWN | {"valid_until": time_text(NOON + 2 * INTERVAL)}, "anna")
    assert (ended.status, ended.json["used_through"]) == (200, time_text(NOON + 2 * INTERVAL))
    assert await buys(cloud, NOON + INTERVAL, 2, "anna") == [25_000, 30_000]
    assert (await put(cloud, NOON, OWN | {"valid_until": time_text(NOON + INTERVAL)}, "anna")).status == 409


async def test_a_tariff_never_used_can_be_deleted(cloud: Cloud) -> None:
    """With the prices of its series; a second time there is none."""
    await cloud.found()
    await put(cloud, NOON, SERIES)
    await put(cloud, NOON, OWN, "anna")
    await add(cloud, NOON, NOON)
    for whose in ("", "owners/anna/"):
        path = f"{COMMUNITY}/{whose}tariffs/{time_text(NOON)}"
        assert (await cloud.operator("DELETE", path)).status == 204
        assert (await cloud.operator("DELETE", path)).problem == "not-found"
    assert (await cloud.operator("GET", f"{COMMUNITY}/tariffs")).json == {"tariffs": [], "gaps": [], "next": None}


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (CLOCK | {"rules": [NIGHT, NIGHT | {"from_time": "05:00"}]}, 422, "rules.0 and rules.1"),
        (CLOCK | {"rules": [NIGHT | {"grid_sell": "x"}]}, 422, "rules.0.grid_sell"),
        (CLOCK | {"rules": [NIGHT | {"to_time": "22:00"}]}, 400, "same"),
        (CLOCK | {"rules": [NIGHT | {"to_time": "24:30"}]}, 400, "rules.0.to_time"),
        (CLOCK | {"rules": [NIGHT | {"from_time": "24:00"}]}, 400, "end of a day"),
        (CLOCK | {"rules": [NIGHT | {"weekdays": ["mon", "mon"]}]}, 400, "twice"),
        (CLOCK | {"rules": [NIGHT | {"weekdays": ["moon"]}]}, 400, "weekdays"),
        (CLOCK | {"rules": []}, 400, "rules"),
        (CLOCK | {"rules": [NIGHT] * 51}, 400, "rules"),
        (FLAT | {"rules": [NIGHT]}, 400, "rules are for time_of_use"),
        (FLAT | {"kind": "time_of_use"}, 400, "rules"),
        (FLAT | SERIES, 400, "local is not for a series"),
        (FLAT | {"kind": "spot"}, 400, "kind"),
        ({"local": "1", "grid_buy": "1"}, 400, "grid_sell is missing"),
        (FLAT | {"valid_until": "soon"}, 400, "valid_until"),
        (FLAT | {"valid_until": time_text(NOON)}, 422, "not after"),
        (FLAT | {"valid_until": time_text(NOON + 1)}, 422, "boundary"),
    ],
)
async def test_nonsense_is_refused_clearly(cloud: Cloud, body: object, status: int, says: str) -> None:
    """The detail names the member, and nothing is kept."""
    await cloud.found()
    reply = await put(cloud, NOON, body)
    assert (reply.status, says in reply.json["detail"]) == (status, True), reply.json
    assert (await cloud.operator("GET", f"{COMMUNITY}/tariffs")).json["tariffs"] == []


async def test_an_owner_nobody_knows_has_no_tariff(cloud: Cloud) -> None:
    """Nor prices; and an own tariff has no local price."""
    await cloud.found()
    assert (await put(cloud, NOON, OWN, "nobody")).problem == "not-found"
    assert (await put(cloud, NOON, FLAT, "anna")).problem == "malformed"
    assert (await cloud.operator("GET", f"{COMMUNITY}/owners/nobody/tariffs")).problem == "not-found"
    assert (await cloud.operator("GET", f"{COMMUNITY}/prices?owner=nobody")).problem == "not-found"
    assert (await cloud.operator("GET", "nowhere/prices")).problem == "not-found"
    assert (await cloud.operator("GET", "nowhere/tariffs")).problem == "not-found"


async def test_an_owner_sees_its_own_tariff_and_nobody_elses(cloud: Cloud) -> None:
    """It may read, and change nothing; an upper system reads all."""
    await cloud.found()
    await put(cloud, NOON, FLAT)
    await put(cloud, NOON, OWN, "anna")
    own = await ANNA.call(cloud, "GET", "owners/anna/tariffs")
    assert [item["grid_buy"] for item in own.json["tariffs"]] == ["25"]
    assert (await ANNA.call(cloud, "GET", "tariffs")).json["tariffs"][0]["owner"] is None
    for path in ("owners/anna/tariffs", "prices?owner=anna"):
        assert (await BEN.call(cloud, "GET", path)).problem == "forbidden"
        assert (await UPPER.call(cloud, "GET", path)).status == 200
    assert "25" not in str((await BEN.call(cloud, "GET", "prices")).json)
    for method, what in (("PUT", ""), ("DELETE", ""), ("POST", "/prices")):
        path = f"owners/anna/tariffs/{time_text(NOON)}{what}"
        assert (await ANNA.call(cloud, method, path, OWN)).problem == "forbidden"
        assert (await UPPER.call(cloud, method, path, OWN)).problem == "forbidden"
    assert (await MANAGER.call(cloud, "PUT", f"owners/ben/tariffs/{time_text(NOON)}", OWN)).status == 201


@pytest.mark.parametrize(
    ("query", "status"),
    [
        (f"from={time_text(NOON)}&to={time_text(NOON)}", 422),
        (f"from={time_text(NOON)}&to={time_text(NOON + 3001 * INTERVAL)}", 422),
        ("from=now", 400),
        ("until=1", 400),
        ("owner=..", 400),
    ],
)
async def test_prices_are_asked_for_a_time_that_is_one(cloud: Cloud, query: str, status: int) -> None:
    """And for at most two months of half hours."""
    await cloud.found()
    assert (await cloud.operator("GET", f"{COMMUNITY}/prices?{query}")).status == status


async def test_sites_hear_that_prices_change(cloud: Cloud, site: Site) -> None:
    """Of every change, and of no change nothing; the newest notice is enough."""

    async def told() -> int:
        return await cloud.count(notice_table, site=site.site, kind=PRICES_KIND)

    await put(cloud, NOON, SERIES)
    assert await told() == 1
    await put(cloud, NOON, SERIES)
    assert await told() == 1
    await add(cloud, NOON, NOON)
    await add(cloud, NOON, NOON)
    assert await told() == 2
    await cloud.operator("DELETE", f"{COMMUNITY}/tariffs/{time_text(NOON)}")
    assert await told() == 3
    assert await cloud.count(notice_table, site=site.site, kind=PRICES_KIND, superseded_by=None) == 1


async def test_a_site_is_told_the_prices_of_its_owners_signed(cloud: Cloud, site: Site) -> None:
    """Those of its main owner and of its taps, from the interval that runs now."""
    settings = {"name": "R", "time_zone": "UTC", "interval_seconds": INTERVAL, "currency": "EUR"}
    await cloud.operator("PUT", COMMUNITY, settings | {"points_per_unit": 100})
    await cloud.operator("PUT", f"{COMMUNITY}/owners/cleo", {"name": "Cleo"})
    await put(cloud, NOON, FLAT | {"valid_until": time_text(NOON + 2 * INTERVAL)})
    await put(cloud, NOON, OWN, "ben")
    await put(cloud, NOON, OWN, "cleo")
    cloud.clock.forward(INTERVAL + 7)
    reply = await site.get("prices?hours=1")
    verified(cloud, reply)
    prices = parse_prices(reply.raw)
    assert (prices.site, prices.community, prices.currency, prices.points_per_unit) == (
        site.site,
        COMMUNITY,
        "EUR",
        100,
    )
    assert (prices.start, prices.seconds, prices.count) == (NOON + INTERVAL, INTERVAL, 2)
    assert prices.local_micro_per_wh == (20_000, None)
    assert {owner: each.grid_buy_micro_per_wh for owner, each in prices.owners.items()} == {
        "anna": (30_000, None),
        "ben": (25_000, None),
        "sun": (30_000, None),
    }
    assert prices.owners["ben"].grid_sell_micro_per_wh == (-1_000, None)
    later = parse_prices((await site.get(f"prices?from={time_text(NOON)}&hours=48")).raw)
    assert (later.start, later.count) == (NOON, 96)
    assert parse_prices((await site.get("prices")).raw).count == 72
    assert (await site.get("prices?hours=49")).status == 400
