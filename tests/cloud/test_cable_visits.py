"""A cable is plugged in: the site is told at once what it may do, signed, from everything the cloud knows."""

import pytest

from cloud.notice.store import waiting
from cloud.v2g.records.store import cable_presence_table
from cloud.v2g.visits.store import LATELY_SECONDS, NEW_MAX, NEW_OF_CABLE_MAX, cables_at, sites_with, visit_table
from cloud.wire import parse_standing, to_bytes

from .cable_ground import SERIAL, START, SigningCable, host, look, period
from .conftest import COMMUNITY, INTERVAL, NOON, Cloud, Site, verified
from .people import BEN, HILLSIDE, MANAGER


async def test_a_cable_nobody_registered_is_denied_until_somebody_does(cloud: Cloud) -> None:
    """The site is told of the change by a notice, without asking again."""
    await cloud.found()
    place, cable = await host(cloud), SigningCable()
    reply = await place.plug(cable)
    standing = parse_standing(to_bytes(verified(cloud, reply)))
    assert (standing.permission, standing.cause, standing.public_key) == ("denied", "unknown-cable", None)
    assert (standing.soc_floor_percent, standing.tolerance_wh, standing.tolerance_percent) == (30, 100, 10)
    assert (standing.own, standing.reward) == (False, None)
    assert (await cable.register(cloud)).status == 201
    (notice,) = await cloud.database.read(waiting, COMMUNITY, place.id, NOON)
    assert notice.kind == "permission"
    assert notice.body["cables"] == {SERIAL: {"permission": "allowed", "cause": "none"}}
    told = parse_standing((await place.site.get(f"cables/{SERIAL}")).raw)
    assert (told.permission, told.public_key) == ("allowed", cable.public_key)


async def test_a_stolen_cable_is_stopped_where_it_is_and_refused_where_it_comes(cloud: Cloud) -> None:
    """The notice is in the same transaction; who is told once is not told again."""
    await cloud.found()
    await cloud.found(HILLSIDE)
    here, there, cable = await host(cloud), await host(cloud, HILLSIDE), SigningCable()
    assert (await cable.register(cloud)).status == 201
    assert (await here.plug(cable)).json["permission"] == "allowed"
    path = f"owners/ben/cables/{SERIAL}"
    assert (await BEN.call(cloud, "POST", f"{path}/stolen", {})).status == 200
    (notice,) = await cloud.database.read(waiting, COMMUNITY, here.id, NOON)
    assert notice.body["cables"] == {SERIAL: {"permission": "denied", "cause": "stolen"}}
    assert (await there.plug(cable)).json["cause"] == "stolen"
    assert await cloud.database.read(waiting, HILLSIDE, there.id, NOON) == []
    assert (await MANAGER.call(cloud, "POST", f"{path}/recovered", {"note": "found"})).status == 200
    for community, place in ((COMMUNITY, here), (HILLSIDE, there)):
        newest = (await cloud.database.read(waiting, community, place.id, NOON))[-1]
        assert newest.body["cables"] == {SERIAL: {"permission": "allowed", "cause": "none"}}


async def test_a_cable_that_shows_another_key_is_not_the_one_that_is_registered(cloud: Cloud) -> None:
    """Whoever copies a serial number has no registered cable; the site learns which key to believe."""
    await cloud.found()
    place, cable, copy = await host(cloud), SigningCable(), SigningCable()
    assert (await cable.register(cloud)).status == 201
    shown: str | None
    for shown in (copy.public_key, "00"):
        reply = await place.plug(cable, public_key=shown)
        assert (reply.json["permission"], reply.json["cause"]) == ("denied", "unknown-cable")
        assert reply.json["public_key"] == cable.public_key
    for shown in (cable.public_key.upper(), None):
        assert (await place.plug(cable, public_key=shown)).json["permission"] == "allowed"


async def test_a_driver_sees_at_its_own_site_what_the_cable_earned(cloud: Cloud) -> None:
    """Plugged in there or not; at a stranger's site nobody is told, nor whether the cable exists."""
    await cloud.found()
    home, other, cable = await host(cloud), await host(cloud), SigningCable()
    assert (await cable.register(cloud, owner="anna")).status == 201
    told = parse_standing(to_bytes(verified(cloud, await home.site.get(f"cables/{SERIAL}"))))
    assert told.own
    assert told.reward is not None
    assert (await home.site.get("cables/CWC-9")).problem == "not-found"
    await cloud.found(HILLSIDE)
    stranger = await host(cloud, HILLSIDE)
    assert (await stranger.site.get(f"cables/{SERIAL}")).problem == "not-found"
    assert (await stranger.plug(cable)).status == 200
    guest = parse_standing((await stranger.site.get(f"cables/{SERIAL}")).raw)
    assert (guest.own, guest.reward) == (False, None)
    assert parse_standing((await other.site.get(f"cables/{SERIAL}")).raw).own, "the other site is anna's too"


async def test_a_visit_is_the_sites_own_word(cloud: Cloud) -> None:
    """Signed with its key; what is no visit is refused by name."""
    await cloud.found()
    place, cable = await host(cloud), SigningCable()
    path = f"/v1/sites/{place.id}/visits"
    good = to_bytes({"v": 1, "cable": SERIAL, "plugged_at": "2026-11-21T12:00:00Z", "tap": "main"})
    forged = await place.site.send("POST", path, good, signature=Site(cloud).sign(good))
    assert forged.problem == "signature-refused"
    for wrong in (b"{}", b"", good.replace(b"CWC", b"C C"), good[:-1] + b',"place":[91000000,0]}'):
        assert (await place.site.send("POST", path, wrong)).problem == "malformed"
    assert await cloud.count(visit_table) == 0
    assert (await place.site.send("POST", path, good)).status == 200
    assert (await place.plug(cable)).status == 200
    assert await cloud.count(visit_table) == 1, "the same plugging in, asked for again"


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_pluggings_in_are_bounded(cloud: Cloud) -> None:
    """A site that asks again for what it told of is answered all the same."""
    await cloud.found()
    place, cables = await host(cloud), [SigningCable(f"CWC-{number}") for number in range(5)]
    for cable in cables[:-1]:
        for number in range(NEW_OF_CABLE_MAX):
            assert (await place.plug(cable, NOON - number)).status == 200
    assert NEW_MAX == 4 * NEW_OF_CABLE_MAX
    refused = await place.plug(cables[-1], NOON + 1)
    assert (refused.problem, refused.headers["Retry-After"]) == ("too-many-tries", "60")
    assert (await place.plug(cables[0], NOON)).status == 200
    cloud.clock.forward(3601)
    place.site.token = await cloud.token(place.id, place.site.secret)
    assert (await place.plug(cables[-1], NOON + 1)).status == 200


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_a_cable_that_seems_new_all_the_time_leaves_room_for_others(cloud: Cloud) -> None:
    """It forgets where it is with every look at it, by mistake or to keep others from being answered."""
    await cloud.found()
    place, cable, other = await host(cloud), SigningCable(), SigningCable("CWC-2")
    for number in range(NEW_OF_CABLE_MAX):
        assert (await place.plug(cable, NOON - number)).status == 200
    assert (await place.plug(cable, NOON + 1)).problem == "too-many-tries"
    assert (await place.plug(other, NOON)).status == 200


async def test_where_a_cable_was_lately_is_known(cloud: Cloud) -> None:
    """By a visit or a report of it as plugged in; after a day without either it is gone."""
    await cloud.found()
    place, cable = await host(cloud), SigningCable()
    await place.plug(cable)
    reported = [period(0, cable="CWC-2"), period(0, cable="CWC-3", connected=False)]
    await place.report(START, reported)
    await look(cloud)
    assert await cloud.database.read(cables_at, COMMUNITY, place.id, NOON) == [SERIAL, "CWC-2"]
    assert await cloud.database.read(sites_with, SERIAL, NOON) == [(COMMUNITY, place.id)]
    assert await cloud.database.read(sites_with, "CWC-3", NOON) == []
    gone = NOON + LATELY_SECONDS
    assert await cloud.database.read(cables_at, COMMUNITY, place.id, gone) == []
    assert {(row.cable, row.seconds) for row in await cloud.rows(cable_presence_table)} == {
        (SERIAL, 0),
        ("CWC-2", INTERVAL),
    }
