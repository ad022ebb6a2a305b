"""What cables signed, as hosts hand it on: honest or not, what is kept is the cable's own word."""

import json
from typing import Any

import pytest

from cloud.ingest.cables.store import cable_arrival_table, not_handled
from cloud.notice.store import waiting
from cloud.v2g.cables.store import cable_of
from cloud.v2g.judgement.job import Judge
from cloud.v2g.judgement.store import judged_period_table
from cloud.v2g.records.kept.store import PERIODS_OF_GRACE, keep_records, note_handled
from cloud.v2g.records.store import last_number, missing_before, signed_record_table
from cloud.v2g.turn import Hands

from .cable_ground import SERIAL, START, Host, SigningCable, found, host, kept, kinds, look, period
from .conftest import COMMUNITY, INTERVAL, NOON, Cloud
from .people import ANNA, BEN, HILLSIDE, MANAGER, UPPER

GRACE = PERIODS_OF_GRACE * INTERVAL


class Ground:
    """A driver's cable that is registered, and two hosts of two communities."""

    def __init__(self, cloud: Cloud, cable: SigningCable, home: Host, away: Host) -> None:
        """Keep them."""
        self.cloud, self.cable, self.home, self.away = cloud, cable, home, away

    async def state(self) -> str:
        """Return the cable's state."""
        stands = await self.cloud.database.read(cable_of, self.cable.serial)
        assert stands is not None
        return stands.state

    def sign(self, number: int, energy_wh: int, at: Host | None = None, **more: Any) -> tuple[str, str]:
        """Sign interval `number` at a host and return the record on its way."""
        site = (at or self.home).id
        return self.cable.serial, self.cable.sign(START + number * INTERVAL, energy_wh, site=site, **more)


def twin_of(cable: SigningCable) -> SigningCable:
    """Return a copy that has the cable's key, too, and signed as much before."""
    twin = SigningCable()
    twin.signed._key = cable.signed._key
    twin.sign(START - INTERVAL)
    return twin


@pytest.fixture
async def ground(cloud: Cloud) -> Ground:
    """Found both communities and register ben's cable."""
    await cloud.found()
    await cloud.found(HILLSIDE)
    cable = SigningCable()
    assert (await cable.register(cloud)).status == 201
    return Ground(cloud, cable, await host(cloud), await host(cloud, HILLSIDE))


async def test_what_an_honest_host_hands_on_is_kept(ground: Ground) -> None:
    """With where it was, and who delivered it; anyone who may read it gets it to the letter."""
    cloud, home = ground.cloud, ground.home
    records = [ground.sign(0, -700), ground.sign(1, 300)]
    await home.report(START, [period(-700)], records)
    await home.report(START + INTERVAL, [period(300)])
    await look(cloud)
    first, second = await kept(cloud)
    assert (first.number, first.site, first.energy_wh, first.start) == (2, home.id, -700, START)
    assert (second.energy_wh, second.delivered_site, second.user) == (300, home.id, "dora")
    assert await kinds(cloud) == []
    assert await cloud.database.read(last_number, SERIAL, NOON) == 3
    assert {row.outcome for row in await cloud.rows(cable_arrival_table)} == {"stored"}
    for caller in (BEN, MANAGER, UPPER):
        reply = await caller.call(cloud, "GET", f"cables/{SERIAL}/records?limit=1")
        (item,) = reply.json["records"]
        assert (item["ocmf"], reply.json["next"]) == (records[0][1], 2)
        assert reply.json["public_key"] == ground.cable.public_key
    assert (await ANNA.call(cloud, "GET", f"cables/{SERIAL}/records")).problem == "not-found"
    assert (await BEN.call(cloud, "GET", f"cables/{SERIAL}/findings")).status == 403
    rest = await BEN.call(cloud, "GET", f"cables/{SERIAL}/records?after=2")
    assert ([item["number"] for item in rest.json["records"]], rest.json["next"]) == ([3], None)


async def test_looking_twice_keeps_nothing_twice(ground: Ground) -> None:
    """Cut off between the cable's facts and the note that they stand, the job does the first step again."""
    cloud = ground.cloud
    await ground.home.report(START, [period(5)], [ground.sign(0, 5), ground.sign(1, 6)])
    arrived = await cloud.database.read(not_handled, 10)
    for _ in range(2):
        await cloud.database.write(keep_records, SERIAL, arrived, NOON)
    await look(cloud)
    assert [item.energy_wh for item in await kept(cloud)] == [5, 6]
    assert await kinds(cloud) == []
    assert await cloud.database.read(not_handled, 10) == []


async def test_a_host_that_drops_a_record_is_told_by_the_gap(ground: Ground) -> None:
    """Not before its grace is over; the next site delivers what was missing, and the gap is closed."""
    cloud = ground.cloud
    records = [ground.sign(number, -100) for number in range(4)]
    await ground.home.report(START, [period(-100)], [records[0], records[3]])
    for number in range(1, 4):
        await ground.home.report(START + number * INTERVAL, [period(-100)])
    await look(cloud)
    assert await cloud.database.read(missing_before, SERIAL, 5) == [(3, 4)]
    assert await cloud.database.read(last_number, SERIAL, NOON) == 2, "the next site is to go on behind it"
    await look(cloud, NOON + GRACE - 1)
    assert await kinds(cloud) == []
    await look(cloud, NOON + GRACE)
    (gap,) = await found(cloud)
    assert (gap.kind, gap.number, gap.through, gap.site, gap.closed_at) == ("gap", 3, 4, ground.home.id, None)
    await ground.away.report(START, records=[records[1]])
    await look(cloud)
    assert [item.closed_at for item in await found(cloud)] == [None]
    await ground.away.report(None, records=[records[2]])
    await look(cloud, NOON + GRACE + 60)
    (gap,) = await found(cloud)
    assert gap.closed_at == NOON + GRACE + 60
    assert await cloud.database.read(last_number, SERIAL, NOON) == 5
    assert await ground.state() == "active"


async def test_a_host_that_scales_a_record_breaks_its_signature(ground: Ground) -> None:
    """The forgery is kept as evidence; the number is still awaited, and the genuine record still counts."""
    cloud = ground.cloud
    serial, record = ground.sign(0, -700)
    scaled = record.replace("500700", "500900")
    assert scaled != record
    await ground.home.report(START, [period(-900)], [(serial, scaled)])
    await look(cloud)
    (forged,) = await found(cloud)
    assert (forged.kind, forged.number, forged.site, forged.evidence) == ("forged", 2, ground.home.id, scaled)
    assert await kept(cloud) == []
    await ground.home.report(None, records=[(serial, record), (serial, scaled)])
    await look(cloud)
    assert [item.energy_wh for item in await kept(cloud)] == [-700]
    assert await kinds(cloud) == ["forged"], "the same forgery is found once"
    listed = await MANAGER.call(cloud, "GET", f"cables/{SERIAL}/findings")
    assert [(item["kind"], item["evidence"]) for item in listed.json["findings"]] == [("forged", scaled)]


async def test_junk_for_a_record_is_a_forgery(ground: Ground) -> None:
    """Whatever it is; the job goes on."""
    junk = ["no record", "OCMF|{}|{}", "OCMF|[]|[]"]
    await ground.home.report(START, records=[(SERIAL, text) for text in junk] + [ground.sign(0, 1)])
    await look(ground.cloud)
    assert await kinds(ground.cloud) == ["forged"] * 3
    assert len(await kept(ground.cloud)) == 1


async def test_another_cables_record_is_not_this_ones(ground: Ground) -> None:
    """Even with a good signature of its own."""
    other = SigningCable("CWC-9")
    await ground.home.report(START, records=[(SERIAL, other.sign(START, -50, site=ground.home.id))])
    await look(ground.cloud)
    assert await kinds(ground.cloud) == ["wrong-serial"]
    assert await kept(ground.cloud) == []


async def test_a_key_that_signs_two_things_under_one_number_is_found(ground: Ground) -> None:
    """The first stands: a cable never does that, so somebody has its key."""
    cloud = ground.cloud
    twin = twin_of(ground.cable)
    await ground.home.report(START, [period(-10)], [ground.sign(0, -10)])
    await ground.away.report(START, records=[(SERIAL, twin.sign(START, -5000, site=ground.away.id))])
    await look(cloud)
    assert sorted(await kinds(cloud)) == ["altered", "two-places"]
    assert [item.energy_wh for item in await kept(cloud)] == [-10]


async def test_a_host_that_replays_a_record_with_a_claim_is_found(ground: Ground) -> None:
    """It was never plugged in there, and the energy was claimed where it moved."""
    record = ground.sign(0, -700)
    await ground.home.report(START, [period(-700)], [record])
    await look(ground.cloud)
    await ground.away.report(START + 5 * INTERVAL, [period(-700)], [record])
    await look(ground.cloud)
    assert [(item.kind, item.site) for item in await found(ground.cloud)] == [("replayed", ground.away.id)]
    assert len(await kept(ground.cloud)) == 1


async def test_a_host_that_hands_on_what_it_was_told_is_here_is_found(ground: Ground) -> None:
    """One that asked, and so knows where to go on; to deliver what was not here yet is no replay."""
    cloud, records = ground.cloud, [ground.sign(0, -1), ground.sign(1, -2)]
    await ground.home.report(START, [period(-1)], records[:1])
    await look(cloud)
    assert (await ground.away.plug(ground.cable)).json["last_number"] == 2
    await ground.home.report(START + INTERVAL, [period(-2)], records[1:])
    await look(cloud)
    await ground.away.report(START, records=records[1:])
    await look(cloud)
    assert await kinds(cloud) == [], "it was not here when the site asked"
    await ground.away.report(None, records=records[:1])
    await ground.home.report(None, records=records)
    await look(cloud)
    assert [(item.kind, item.number) for item in await found(cloud)] == [("replayed", 2)]


async def test_a_host_that_claims_what_was_signed_for_another_is_found(ground: Ground) -> None:
    """The record names the site it was plugged in at; that another one claims its energy does not stop the driver."""
    cloud = ground.cloud
    records = [ground.sign(0, -700), ground.sign(1, -700), ground.sign(2, -10)]
    await ground.home.report(START, [period(-700)])
    await ground.away.report(START)
    await ground.away.report(START + INTERVAL, [period(-700)], records)
    await look(cloud)
    claim, silent = await found(cloud)
    assert (silent.kind, silent.site, silent.number) == ("unreported", ground.home.id, 3)
    assert (claim.kind, claim.site, claim.number, claim.at) == ("re-homed", ground.away.id, 3, START + INTERVAL)
    assert await ground.state() == "active"


async def test_a_cable_that_moves_within_an_interval_is_at_one_place(ground: Ground) -> None:
    """Both sites report the interval, each with its own part, which the cable signed for it."""
    cloud, half = ground.cloud, INTERVAL // 2
    here = [ground.sign(0, -100), ground.sign(1, -60, seconds=half - 120)]
    there = (SERIAL, ground.cable.sign(START + INTERVAL + half, -40, site=ground.away.id, seconds=half))
    await ground.away.plug(ground.cable, START + INTERVAL + half)
    await ground.home.report(START, [period(-100)], here[:1])
    await ground.home.report(START + INTERVAL, [period(-60)], here[1:])
    await ground.away.report(START + INTERVAL, [period(-40)], [there])
    await ground.away.report(START + 2 * INTERVAL, [period(0)], [ground.sign(2, 0, ground.away)])
    await look(cloud)
    assert await kinds(cloud) == []
    assert await ground.state() == "active"
    assert [(item.site, item.energy_wh) for item in await kept(cloud)] == [
        (ground.home.id, -100),
        (ground.home.id, -60),
        (ground.away.id, -40),
        (ground.away.id, 0),
    ]


async def test_records_that_come_late_by_the_next_site_are_as_good(ground: Ground) -> None:
    """The first site was off line for days: nobody is at two places for that, in whatever order things come."""
    cloud = ground.cloud
    records = [ground.sign(number, -100) for number in range(3)]
    records += [ground.sign(number, -5, ground.away) for number in range(3, 6)]
    await ground.away.plug(ground.cable, START + 3 * INTERVAL)
    await ground.away.report(START + 3 * INTERVAL, [period(-5)], [*records[3:], *records[:3]])
    for number in (4, 5):
        await ground.away.report(START + number * INTERVAL, [period(-5)])
    await look(cloud)
    for number in range(3):
        await ground.home.report(START + number * INTERVAL, [period(-100)], records[number : number + 1])
    await look(cloud, NOON + 86_400)
    assert {(item.kind, item.closed_at is None) for item in await found(cloud)} == {("unreported", False)}
    assert await ground.state() == "active"
    assert len(await kept(cloud)) == 6


async def test_two_that_sign_with_one_key_are_stopped_everywhere_until_staff_clears_it(ground: Ground) -> None:
    """Somebody has copied the key: both sites are told within the transaction, and again when it is over."""
    cloud, twin = ground.cloud, twin_of(ground.cable)
    assert (await ground.home.plug(ground.cable, START)).json["permission"] == "allowed"
    assert (await ground.away.plug(ground.cable, START)).json["permission"] == "allowed"
    for number in range(2):
        await ground.home.report(START + number * INTERVAL, [period(-100)], [ground.sign(number, -100)])
        record = twin.sign(START + number * INTERVAL, -9, site=ground.away.id)
        await ground.away.report(START + number * INTERVAL, [period(-9)], [(SERIAL, record)])
    await look(cloud)
    assert sorted(set(await kinds(cloud))) == ["altered", "two-places"]
    assert await ground.state() == "two-places"
    for place in (ground.home, ground.away):
        community = COMMUNITY if place is ground.home else HILLSIDE
        (notice,) = await cloud.database.read(waiting, community, place.id, NOON)
        assert notice.body["cables"] == {SERIAL: {"permission": "denied", "cause": "two-places"}}
        told = await place.site.get(f"cables/{SERIAL}")
        assert (told.json["permission"], told.json["cause"]) == ("denied", "two-places")
    cloud.clock.forward(60)
    path = f"owners/ben/cables/{SERIAL}/recovered"
    assert (await MANAGER.call(cloud, "POST", path, {"note": "the other one was a copy"})).status == 200
    told = await ground.home.site.get(f"cables/{SERIAL}")
    assert (told.json["permission"], told.json["cause"]) == ("allowed", "none")
    await ground.home.report(None, records=[ground.sign(2, -3)])
    await look(cloud)
    assert await ground.state() == "active", "what was before is not held against it again"


async def test_a_copied_key_that_signs_under_other_numbers_is_stopped_too(ground: Ground) -> None:
    """Nothing contradicts itself then but the places."""
    cloud, twin = ground.cloud, twin_of(ground.cable)
    for number in range(9):
        twin.sign(START - (9 - number) * INTERVAL)
    await ground.home.report(START, [period(-100)], [ground.sign(0, -100)])
    await ground.away.report(START, [period(-9)], [(SERIAL, twin.sign(START, -9, site=ground.away.id))])
    await look(cloud)
    assert await kinds(cloud) == ["two-places"]
    assert await ground.state() == "two-places"


async def test_a_site_that_knows_a_number_cannot_stop_a_strangers_cable(ground: Ground) -> None:
    """Whatever it says of pluggings in and energy: it is found, with what shows it, and nobody is denied anything."""
    cloud = ground.cloud
    for number in range(4):
        await ground.home.report(START + number * INTERVAL, [period(-100)], [ground.sign(number, -100)])
        await ground.away.plug(ground.cable, START + number * INTERVAL + 60)
        await ground.away.report(START + number * INTERVAL, [period(-500)])
    for _ in range(2):
        await look(cloud)
    (said,) = await found(cloud)
    assert (said.kind, said.detail[:9]) == ("two-places", "reported:")
    assert said.evidence is not None
    assert sorted(json.loads(said.evidence)["sites"]) == sorted([ground.home.id, ground.away.id])
    assert await ground.state() == "active"
    assert (await ground.home.plug(ground.cable)).json["permission"] == "allowed"


async def test_a_clone_that_cannot_sign_earns_nothing_and_stops_nobody_but_itself(ground: Ground) -> None:
    """It has the number alone: it shows another key and is denied where it is, or its records are forged."""
    cloud, clone = ground.cloud, SigningCable()
    plugged = await ground.away.plug(ground.cable, public_key=clone.public_key)
    assert (plugged.json["permission"], plugged.json["cause"]) == ("denied", "unknown-cable")
    for number in range(3):
        await ground.home.report(START + number * INTERVAL, [period(-100)], [ground.sign(number, -100)])
        record = clone.sign(START + number * INTERVAL, -900, site=ground.away.id)
        await ground.away.report(START + number * INTERVAL, [period(-900)], [(SERIAL, record)])
    await look(cloud)
    assert sorted(set(await kinds(cloud))) == ["forged", "two-places"]
    assert {item.site for item in await kept(cloud)} == {ground.home.id}
    assert await ground.state() == "active"
    hands = Hands(cloud.database, lambda: None)
    judge = Judge()
    for _ in range(3):
        await judge.turn(hands, NOON + 2 * GRACE)
    judged = {(row.site, row.start): row for row in await cloud.rows(judged_period_table)}
    assert len(judged) == 6
    clones = [row for (site, _), row in judged.items() if site == ground.away.id]
    assert {(row.state, row.energy_wh) for row in clones} == {("withheld", 0)}
    assert (await ground.home.plug(ground.cable)).json["permission"] == "allowed"


async def test_a_stolen_cables_records_are_kept(ground: Ground) -> None:
    """They tell where it is; a revoked key's too, for they were signed before somebody knew."""
    cloud = ground.cloud
    for number, what in enumerate(("stolen", "revoke")):
        assert (await BEN.call(cloud, "POST", f"owners/ben/cables/{SERIAL}/{what}", {})).status == 200
        await ground.away.report(START + number * INTERVAL, [period(-9)], [ground.sign(number, -9, ground.away)])
        await look(cloud)
    assert [item.site for item in await kept(cloud)] == [ground.away.id] * 2
    assert await kinds(cloud) == []
    reply = await ground.away.plug(ground.cable)
    assert (reply.json["permission"], reply.json["cause"]) == ("denied", "revoked")


async def test_records_of_a_cable_nobody_knows_are_looked_at_once_it_is_registered(ground: Ground) -> None:
    """Kept with their batches until then, with no key to believe."""
    cloud, cable = ground.cloud, SigningCable("CWC-7")
    cable.sign(START - INTERVAL)
    await ground.home.report(START, [period(3, cable="CWC-7")], [("CWC-7", cable.sign(START, 3, site=ground.home.id))])
    await look(cloud)
    assert [row.outcome for row in await cloud.rows(cable_arrival_table)] == ["unknown-cable"]
    assert await cloud.count(signed_record_table) == 0
    assert (await cable.register(cloud)).status == 201
    await look(cloud)
    assert [item.energy_wh for item in await kept(cloud, "CWC-7")] == [3]


async def test_a_record_seen_as_unknown_while_its_cable_is_registered_is_found_again(ground: Ground) -> None:
    """Whoever looked at it a moment before has not heard of the cable, and says so only afterwards."""
    cloud, cable = ground.cloud, SigningCable("CWC-7")
    cable.sign(START - INTERVAL)
    await ground.home.report(START, records=[("CWC-7", cable.sign(START, 3, site=ground.home.id))])
    arrived = await cloud.database.read(not_handled, 10)
    outcomes = await cloud.database.write(keep_records, "CWC-7", arrived, NOON)
    assert (await cable.register(cloud)).status == 201
    await cloud.database.write(note_handled, arrived, outcomes, NOON)
    await look(cloud)
    assert [item.energy_wh for item in await kept(cloud, "CWC-7")] == [3]


async def test_registers_that_go_back_or_leap_are_found(ground: Ground) -> None:
    """A record begins where the one before ended, in energy always and in time never before that."""
    cable = ground.cable
    records = [ground.sign(0, 100)]
    cable.registers = cable.registers[0] - 50, cable.registers[1]
    records.append(ground.sign(1, 0))
    cable.registers = cable.registers[0] + 70, cable.registers[1]
    records.append(ground.sign(2, 0))
    records.append(ground.sign(2, 0))
    await ground.home.report(START, [period(100)], records)
    await look(ground.cloud)
    assert sorted((item.kind, item.number) for item in await found(ground.cloud)) == [
        ("backward", 3),
        ("backward", 5),
        ("jump", 4),
    ]
    assert len(await kept(ground.cloud)) == 4


async def test_a_genuine_record_that_cannot_be_used_is_not_missing(ground: Ground) -> None:
    """Its meter was set back while it signed: it is kept without energy, and found."""
    cable = ground.cable
    span = START * 1000, (START + INTERVAL) * 1000
    cable.signed.close(span, (1_000_000, 500_000), (999_000, 500_000), "dora", "C", site=ground.home.id)
    await ground.home.report(START, [period(1)], [(SERIAL, cable.signed.record(2)), ground.sign(1, 5)])
    await look(ground.cloud)
    assert await kinds(ground.cloud) == ["unusable"]
    assert [item.number for item in await kept(ground.cloud)] == [3]
    assert await ground.cloud.database.read(last_number, SERIAL, NOON) == 3
    page = await BEN.call(ground.cloud, "GET", f"cables/{SERIAL}/records")
    assert [(item["number"], item["refused"]) for item in page.json["records"]] == [(2, "backward (RV)"), (3, None)]
