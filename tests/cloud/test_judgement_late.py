"""What the judgement must not forget: a provider's word, a person's, who was asked for records, whose cable it was."""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection

from cloud.hub.wiring.rates.store import DemandRate, add_rate
from cloud.hub.wiring.store import put_all
from cloud.v2g.cables.cable import State
from cloud.v2g.judgement.job import ROUND_SECONDS, Judge
from cloud.v2g.judgement.keep.store import keep
from cloud.v2g.judgement.sight.store import sights_of
from cloud.v2g.permission.rule import SiteStanding
from cloud.v2g.permission.store import flags_of, set_flag, tell_permission, untold
from cloud.v2g.terms.store import put_terms

from .ground import HALF_HOUR, NOON, OpenDatabase
from .judgement_ground import (
    LANE,
    RATES,
    SITE,
    Cable,
    House,
    become,
    claim,
    deliver,
    ground,
    honest,
    kept_back,
    plugged,
    stolen,
    utility,
)

PENDING = ("match", "none", "pending", None)
FINAL = ("match", "none", "final", "lookback")
CONFIRMED = ("match", "none", "final", "utility")
STOPPED = ("match", "stopped", "withheld", None)


def at(number: int) -> int:
    """Return when the how-manieth period begins."""
    return NOON + number * HALF_HOUR


@pytest.fixture
async def cable() -> Cable:
    """Return the driver's cable."""
    return Cable()


@pytest.fixture
async def house(open_database: OpenDatabase, tmp_path: Path, cable: Cable) -> House:
    """Open a database with a site where the cable is plugged in."""
    database = open_database(tmp_path)

    def made(conn: Connection) -> None:
        ground(conn, RATES, cable)
        plugged(conn, NOON)

    await database.write(made)
    return House(database)


async def test_a_providers_hour_still_speaks_when_its_first_half_has_ended(house: House, cable: Cable) -> None:
    """The meter hides a theft; the provider's word on the hour is not lost with the period that was final before."""

    def lenient(conn: Connection) -> None:
        put_terms(conn, LANE, replace(RATES, mismatches=4), by="staff", now=0)

    await house.database.write(lenient)
    for number in range(5):
        await house.database.write(honest, cable, at(number))
    await house.turn(at(5))
    assert [period[2] for period in await house.periods()] == ["final", *["pending"] * 4]
    await house.database.write(utility, at(0), 4000, seconds=3600, now=at(5))
    await house.turn(at(5))
    withheld = ("mismatch", "utility", "withheld", None)
    assert (await house.periods())[1] == withheld
    for number in range(5, 9):
        await house.database.write(honest, cable, at(number))
    await house.turn(at(9))
    assert (await house.periods())[1] == withheld


async def test_nobody_is_guilty_of_records_from_before_the_cable_was_known(house: House, cable: Cable) -> None:
    """A site asks no cable for records that the cloud does not know: that some never came accuses no host of then."""
    for number in (-4, -3):
        await house.database.write(claim, at(number), -1500, meter_wh=520, consumption_wh=2000)
    cable.number = 5
    part = HALF_HOUR // 2
    await house.database.write(cable.sign, at(-2), -700, seconds=part)
    kept = cable.sign(None, at(-2) + part, -800, seconds=part, kept_back=True)  # type: ignore[arg-type]
    await house.database.write(claim, at(-2), -1500, meter_wh=520, consumption_wh=2000)
    await house.database.write(kept_back, kept | {"number": 5})
    await house.database.write(kept_back, kept)
    await house.database.write(cable.sign, at(2), -100, site="flat")
    await house.turn(at(9))
    assert await house.periods() == [("unknown", "unsigned", "withheld", None)] * 3
    assert await house.database.read(flags_of, LANE, SITE) == []


@pytest.mark.parametrize(("state", "first"), [("stolen", CONFIRMED), ("revoked", CONFIRMED), ("two-places", STOPPED)])
async def test_what_a_stopped_cable_moves_is_nobodys_until_a_person_looks(
    house: House, cable: Cable, state: State, first: tuple[str | None, ...]
) -> None:
    """Neither is the driver debited for what a thief charges, nor is anybody paid; of a clone, nothing that is open."""
    for number in range(2):
        await house.database.write(honest, cable, at(number), 5000)
        await house.turn(at(number + 1))
        if number == 0:
            await house.database.write(become, cable.serial, state, at(1))
    for number in range(2):
        await house.database.write(utility, at(number), 7020, now=at(2))
    await house.turn(at(2))
    assert await house.periods() == [first, STOPPED]


async def test_a_cable_that_was_in_one_place_after_all_is_paid(house: House, cable: Cable) -> None:
    """Staff has looked at the evidence and cleared it; of a stolen one, only what came after it was found again."""
    await house.database.write(honest, cable, at(0))
    await house.database.write(become, cable.serial, "two-places", at(1))
    await house.turn(at(1))
    assert await house.periods() == [STOPPED]
    await house.database.write(become, cable.serial, "active", at(1) + 10)
    await house.database.write(become, cable.serial, "stolen", at(1) + 20)
    await house.database.write(honest, cable, at(1))
    await house.database.write(become, cable.serial, "active", at(2))
    for number in range(2, 6):
        await house.database.write(honest, cable, at(number))
    await house.turn(at(6))
    assert await house.periods() == [FINAL, STOPPED, *[PENDING] * 4]


async def test_what_a_person_has_forgiven_is_not_counted_by_a_lesser_flag(house: House, cable: Cable) -> None:
    """Staff lets the site's cars charge again; one later mismatch is one, not the third."""
    for number in range(2):
        await house.database.write(stolen, cable, at(number))
        await house.turn(at(number + 1))
    lesser = SiteStanding("charge_only", "operator", at(2))
    await house.database.write(set_flag, LANE, SITE, lesser, by="staff", note="wired anew, we look on")
    await house.database.write(stolen, cable, at(2))
    await house.turn(at(3))
    assert (await house.database.read(flags_of, LANE, SITE))[0].permission == "charge_only"
    await house.database.write(stolen, cable, at(3))
    await house.turn(at(4))
    newest = (await house.database.read(flags_of, LANE, SITE))[0]
    assert (newest.permission, newest.evidence) == ("denied", (at(2), at(3)))


async def test_a_record_that_came_unseen_is_found_though_its_period_was_withheld(house: House, cable: Cable) -> None:
    """The process that stored it died, and no other began within the hour: withheld periods come round, too."""
    kept = cable.sign(None, at(0), -1500, kept_back=True)  # type: ignore[arg-type]
    await house.database.write(claim, at(0), -1500, meter_wh=520, consumption_wh=2000)
    await house.turn(at(3))
    assert await house.periods() == [("unknown", "unsigned", "withheld", None)]
    await house.database.write(deliver, kept, at(4))
    house.judge = Judge()
    await house.turn(at(9))
    assert await house.periods() == [PENDING]
    assert ROUND_SECONDS <= 3600


async def test_who_judges_by_older_evidence_changes_nothing_that_was_judged_since(house: House, cable: Cable) -> None:
    """Two machines: one has looked before the provider told of a theft, the other after; the first writes last."""
    for number in range(4):
        await house.database.write(honest, cable, at(number))
    await house.turn(at(4))

    def shorter(conn: Connection) -> None:
        put_terms(conn, LANE, replace(RATES, look_back=3, mismatches=3), by="staff", now=at(4))

    await house.database.write(shorter)
    (old,) = await house.database.read(sights_of, {(LANE, SITE): None}, at(4))
    await house.database.write(utility, at(0), 2000, now=at(4))
    await house.turn(at(4))
    withheld = ("mismatch", "utility", "withheld", None)
    assert await house.periods() == [withheld, *[PENDING] * 3]
    await house.database.write(keep, old, at(4))
    assert await house.periods() == [withheld, *[PENDING] * 3]


async def test_what_waits_and_is_sound_takes_nothing_from_what_may_wait_on_doubt(house: House, cable: Cable) -> None:
    """The cap is of doubt alone: an earlier period that may wait is not withheld for a later one that matches."""

    def capped(conn: Connection) -> None:
        put_terms(conn, LANE, replace(RATES, pending_cap_micro=32_000_000), by="staff", now=0)

    await house.database.write(capped)
    await house.database.write(cable.sign, at(0), -1500)
    await house.database.write(claim, at(0), -1500)
    await house.turn(at(1))
    await house.database.write(honest, cable, at(1))
    await house.turn(at(2))
    assert await house.periods() == [("unknown", "none", "pending", None), PENDING]
    await house.turn(at(9))
    assert (await house.periods())[0] == ("unknown", "none", "pending", None)


async def test_what_went_stale_while_no_cloud_was_there_is_told(house: House, cable: Cable) -> None:
    """The transformer's load held ten minutes; the cloud was away for longer, and the car is freed when it is back."""

    def loaded(conn: Connection) -> None:
        wanted = {"t1": {"name": "Transformer", "sites": [SITE]}}
        put_all(conn, LANE, wanted, by="grid", now=at(0), tell=lambda *_: None)
        add_rate(conn, LANE, "t1", DemandRate(at(0), at(0) + 600, 95), provider="grid", now=at(0))
        assert tell_permission(conn, LANE, SITE, at(0))

    await house.database.write(loaded)
    assert await house.database.read(untold, [(LANE, SITE)], at(1)) == [(LANE, SITE)]
    await house.turn(at(1))
    assert await house.database.read(untold, [(LANE, SITE)], at(1)) == []
