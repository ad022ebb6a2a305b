"""The second judgement at work: what sites claim and cables sign becomes final, is withheld, or costs a permission."""

from dataclasses import replace
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select

from cloud.notice.store import notice_table
from cloud.sites.store import site_table
from cloud.v2g.judgement.keep.store import keep
from cloud.v2g.judgement.store import decide
from cloud.v2g.permission.rule import SiteStanding
from cloud.v2g.permission.store import flags_of, set_flag, standing_of, tell_permission
from cloud.v2g.place.store import put_place
from cloud.v2g.terms.store import put_terms
from cloud.v2g.terms.terms import Terms

from .ground import HALF_HOUR, NOON, OpenDatabase
from .judgement_ground import (
    LANE,
    RATES,
    SITE,
    Cable,
    House,
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
        ground(conn, RATES, cable, Cable("C8"))
        plugged(conn, NOON)

    await database.write(made)
    return House(database)


async def test_an_honest_period_is_final_once_the_look_back_has_passed(house: House, cable: Cable) -> None:
    """It waits for the site's next four periods with cables; its own energy is what the cable signed."""
    for number in range(5):
        await house.database.write(honest, cable, at(number))
        await house.turn(at(number + 1))
        states = [period[2] for period in await house.periods()]
        assert states == (["pending"] * (number + 1) if number < 4 else ["final", *["pending"] * 4])
    first = (await house.periods("energy_wh", "records", "basis", "host_owner", "driver_community", "driver"))[0]
    assert first == (-1500, 1, "consumption", "anna", "hill", "dora")
    assert await house.turn(at(6)) == 0


async def test_a_stolen_discharge_is_withheld_and_the_second_flags_the_site(house: House, cable: Cable) -> None:
    """The cable's site is told in the same transaction, with the evidence kept."""
    await house.database.write(tell_permission, LANE, SITE, at(0))
    await house.database.write(stolen, cable, at(0))
    await house.turn(at(1))
    assert await house.periods() == [("mismatch", "meter", "withheld", None)]
    assert await house.database.read(flags_of, LANE, SITE) == []
    await house.database.write(stolen, cable, at(1))
    await house.turn(at(2))
    flag = (await house.database.read(flags_of, LANE, SITE))[0]
    assert (flag.permission, flag.cause, flag.set_by) == ("denied", "mismatch", "cloud")
    assert (flag.set_at, flag.evidence) == (at(2), (at(0), at(1)))
    assert (await told(house))[-1] == {"C7": {"permission": "denied", "cause": "mismatch"}}
    assert house.rung == 1


async def told(house: House) -> list[dict[str, dict[str, str]]]:
    """Return what notices told the site of its cables."""
    rows = select(notice_table.c.body).filter_by(kind="permission", site=SITE).order_by(notice_table.c.notice)
    bodies = await house.database.read(lambda conn: conn.execute(rows).scalars().all())
    return [json.loads(body)["cables"] for body in bodies]


async def test_suspicion_never_flags_and_ends_with_the_look_back(house: House, cable: Cable) -> None:
    """With only the earlier meter value to compare, six periods in a row that look wrong cost nobody anything."""
    for number in range(6):
        await house.database.write(cable.sign, at(number), -1500)
        await house.database.write(claim, at(number), -1500, meter_wh=2000, before_wh=2000)
        await house.turn(at(number + 1))
    periods = await house.periods()
    assert periods[0] == ("suspect", "meter", "final", "lookback")
    assert periods[5] == ("suspect", "meter", "pending", None)
    assert await house.database.read(flags_of, LANE, SITE) == []


async def test_nothing_to_compare_with_is_no_guilt(house: House, cable: Cable) -> None:
    """Unknown waits for the look-back like every other period."""
    for number in range(5):
        await house.database.write(cable.sign, at(number), -1500)
        await house.database.write(claim, at(number), -1500, meter_wh=2000)
        await house.turn(at(number + 1))
    assert (await house.periods())[0] == ("unknown", "none", "final", "lookback")


async def test_what_waits_on_mere_doubt_is_capped(house: House, cable: Cable) -> None:
    """A period earns 31 points; of two that may be wrong, only one waits under a cap of 50."""
    await house.database.write(set_terms, replace(RATES, pending_cap_micro=50_000_000))
    for number in range(3):
        await house.database.write(cable.sign, at(number), -1500)
        known: dict[str, Any] = {"consumption_wh": 2000} if number == 1 else {"meter_wh": 2000, "before_wh": 2000}
        await house.database.write(claim, at(number), -1500, **known)
        await house.turn(at(number + 1))
    assert [period[1:3] for period in await house.periods()] == [
        ("meter", "pending"),
        ("pending-cap", "withheld"),
        ("pending-cap", "withheld"),
    ]
    await house.database.write(utility, at(1), 500, now=at(4))  # the provider saw the discharge
    await house.turn(at(4))
    assert (await house.periods())[1] == ("match", "none", "final", "utility")
    for number in range(3, 6):
        await house.database.write(honest, cable, at(number))
    await house.turn(at(6))
    periods = await house.periods()
    assert periods[0] == ("suspect", "meter", "final", "lookback")
    assert [period[2] for period in periods[1:]] == ["final", "withheld", "pending", "pending", "pending"]


def set_terms(conn: Connection, /, terms: Terms) -> None:
    """Set the terms of the site's community, from the beginning of time."""
    assert put_terms(conn, LANE, terms, by="staff", now=0)


async def test_what_matched_is_final_after_a_clean_day_though_no_car_comes_again(house: House, cable: Cable) -> None:
    """The last periods before a car leaves are paid the day after; what only seems right, or is not known, waits on."""
    day = 86_400
    await house.database.write(honest, cable, at(0))
    await house.database.write(cable.sign, at(1), -1500)
    await house.database.write(claim, at(1), -1500, meter_wh=2000, before_wh=2000)
    await house.database.write(cable.sign, at(2), -1500)
    await house.database.write(claim, at(2), -1500, meter_wh=2000)
    await house.database.write(honest, cable, at(3))
    await house.turn(at(1) + day - 1)
    assert {period[2] for period in await house.periods()} == {"pending"}
    await house.turn(at(1) + day + 61)
    assert [period[2] for period in await house.periods()] == ["final", "pending", "pending", "pending"]
    await house.turn(at(4) + day + 61)
    doubtful = [("suspect", "meter", "pending", None), ("unknown", "none", "pending", None)]
    assert await house.periods() == [FINAL, *doubtful, FINAL]


async def test_a_day_with_a_mismatch_at_the_site_is_not_clean(house: House, cable: Cable) -> None:
    """Nor one of which records are still waited for; what matched then waits for the look-back, as ever."""
    await house.database.write(honest, cable, at(0))
    await house.database.write(stolen, cable, at(1))
    await house.turn(at(1) + 2 * 86_400)
    assert [period[2] for period in await house.periods()] == ["pending", "withheld"]
    for number in range(2, 6):
        await house.database.write(honest, cable, at(number))
    await House(house.database).turn(at(6) + 2 * 86_400)  # one that begins finds what came late, too
    assert (await house.periods())[0] == FINAL


async def test_a_simulated_site_has_a_shorter_day(house: House, cable: Cable) -> None:
    """In which so many seconds pass in one."""

    def pressed(conn: Connection) -> None:
        conn.execute(site_table.update().where(site_table.c.site == SITE).values(time_scale=180))
        honest(conn, cable, at(0))

    await house.database.write(pressed)
    await house.turn(at(1) + 86_400 // 180 - 1)
    assert await house.periods() == [PENDING]
    await house.turn(at(1) + 86_400 // 180 + 61)
    assert await house.periods() == [FINAL]


async def test_a_claim_that_is_scaled_is_a_mismatch(house: House, cable: Cable) -> None:
    """The cable signed 1500 Wh, the site says 1700, with a meter that agrees: what counts is signed."""
    await house.database.write(cable.sign, at(0), -1500)
    await house.database.write(claim, at(0), -1700, meter_wh=400, consumption_wh=2000)
    await house.turn(at(1))
    assert await house.periods() == [("mismatch", "scaled", "withheld", None)]
    assert await house.periods("energy_wh", "claimed_wh") == [(-1500, -1700)]


async def test_a_step_that_a_site_counts_in_the_wrong_period_accuses_nobody(house: House, cable: Cable) -> None:
    """A car begins at full power on a boundary and ends on one: the site read before and after, and drew a line."""

    def stepped(conn: Connection) -> None:
        for number, (signed_wh, claimed_wh) in enumerate([(0, -40), (-5500, -5460), (0, -40), (0, 0)]):
            cable.sign(conn, at(number), signed_wh)
            claim(conn, at(number), claimed_wh, meter_wh=2000 + claimed_wh, consumption_wh=2000)

    await house.database.write(stepped)
    await house.turn(at(4))
    assert await house.periods() == [PENDING] * 4
    assert await house.periods("energy_wh") == [(0,), (-5500,), (0,), (0,)]


async def test_a_record_that_is_late_is_waited_for(house: House, cable: Cable) -> None:
    """Two periods long; then the period is withheld, and judged all the same when the record comes."""
    late = cable.sign(None, at(0), -1500, kept_back=True)  # type: ignore[arg-type]
    await house.database.write(claim, at(0), -1500, meter_wh=520, consumption_wh=2000)
    await house.turn(at(3) - 10)
    assert await house.periods() == [("unknown", "waiting", "pending", None)]
    await house.turn(at(3))
    assert await house.periods() == [("unknown", "unsigned", "withheld", None)]
    await house.database.write(deliver, late, at(9))
    await house.turn(at(9))
    assert await house.periods() == [PENDING]


async def test_a_record_that_is_kept_back_is_a_mismatch_until_it_comes(house: House, cable: Cable) -> None:
    """Newer numbers came, so it was there; the next site delivers it, and the period is judged by what it says."""
    await house.database.write(honest, cable, at(0))
    kept = cable.sign(None, at(1), -1500, kept_back=True)  # type: ignore[arg-type]
    await house.database.write(claim, at(1), 0, meter_wh=2000, consumption_wh=2000)
    await house.database.write(honest, cable, at(2))
    await house.database.write(kept_back, kept)
    await house.turn(at(3))
    assert (await house.periods())[1] == ("unknown", "waiting", "pending", None)
    await house.turn(at(4))
    assert (await house.periods())[1] == ("mismatch", "gap", "withheld", None)
    await house.database.write(deliver, kept, at(9))
    await house.turn(at(9))
    assert (await house.periods())[1] == ("mismatch", "scaled", "withheld", None)


async def test_a_cable_that_was_elsewhere_by_its_own_word_was_not_here(house: House, cable: Cable) -> None:
    """A record that names another site is no energy of this one, whoever claims it."""
    await house.database.write(cable.sign, at(0), -1500, site="flat")
    await house.database.write(claim, at(0), -1500, meter_wh=520, consumption_wh=2000)
    await house.turn(at(1))
    assert await house.periods("verdict", "cause", "energy_wh", "records") == [("mismatch", "scaled", 0, 0)]


async def test_part_intervals_are_summed_up(house: House, cable: Cable) -> None:
    """A cable that was moved within the period, or told where it is only then, signed several records."""

    def moved(conn: Connection) -> None:
        cable.sign(conn, at(0), -40, seconds=10, site=None)
        cable.sign(conn, at(0) + 10, -700, seconds=900)
        cable.sign(conn, at(0) + 910, -300, seconds=200, site="flat")
        cable.sign(conn, at(0) + 1110, -500, seconds=690)
        claim(conn, at(0), -1240, meter_wh=760, consumption_wh=2000)
        claim(conn, at(0), -300, site="flat", meter_wh=700, consumption_wh=1000)

    await house.database.write(moved)
    await house.turn(at(1))
    assert await house.periods("site", "energy_wh", "records", "verdict") == [
        ("flat", -300, 1, "match"),
        ("house", -1200, 2, "match"),
    ]


async def test_the_second_part_of_a_period_is_waited_for(house: House, cable: Cable) -> None:
    """What has come so far is not held against a claim for the whole."""
    await house.database.write(cable.sign, at(0), -700, seconds=900)
    await house.database.write(claim, at(0), -1500, meter_wh=520, consumption_wh=2000)
    await house.turn(at(1))
    assert await house.periods() == [("unknown", "waiting", "pending", None)]
    await house.database.write(cable.sign, at(0) + 900, -800, seconds=900, stored_at=at(1) + 5)
    await house.turn(at(1) + 5)
    assert await house.periods() == [PENDING]


async def test_cables_of_one_site_are_judged_together(house: House, cable: Cable) -> None:
    """One charges while the other discharges: the meter shows the sum, and a theft is both cables' mismatch."""
    other = Cable("C8")

    def both(conn: Connection, start: int, meter_wh: int) -> None:
        cable.sign(conn, start, -1500)
        other.sign(conn, start, 1000)
        for name, energy_wh in (("C7", -1500), ("C8", 1000)):
            claim(conn, start, energy_wh, cable=name, meter_wh=meter_wh, consumption_wh=2000)

    await house.database.write(both, at(0), 1500)
    await house.turn(at(1))
    assert await house.periods() == [PENDING, PENDING]
    await house.database.write(both, at(1), 3000)
    await house.turn(at(2))
    assert (await house.periods(start=at(1))) == [("mismatch", "meter", "withheld", None)] * 2


async def test_a_made_up_cable_covers_no_theft(house: House, cable: Cable) -> None:
    """A claim that nobody signed neither accuses nor clears."""

    def covered(conn: Connection, start: int) -> None:
        stolen(conn, cable, start)
        claim(conn, start, 1500, cable="ghost", meter_wh=2000, consumption_wh=2000)

    await house.database.write(covered, at(0))
    await house.turn(at(1))
    assert {period[1] for period in await house.periods()} == {"waiting"}
    await house.turn(at(3))
    assert await house.periods("cable", "verdict", "cause", "state", "driver") == [
        ("C7", "unknown", "none", "pending", "dora"),
        ("ghost", "unknown", "unsigned", "withheld", None),
    ]


async def test_the_provider_confirms_at_once(house: House, cable: Cable) -> None:
    """An independent meter that agrees makes a period final, without any look-back."""
    await house.database.write(honest, cable, at(0))
    await house.turn(at(1))
    await house.database.write(utility, at(0), 540, 30, now=at(1) + 60)
    await house.turn(at(1) + 60)
    assert await house.periods() == [("match", "none", "final", "utility")]
    assert await house.periods("utility_wh", "utility_verdict", "decided_at") == [(510, "match", at(1) + 60)]


async def test_the_provider_overrules_a_meter_that_hides_a_theft(house: House, cable: Cable) -> None:
    """The site's own meter agreed in every period; the supply point did not, and two of them flag the site."""
    for number in range(2):
        await house.database.write(honest, cable, at(number))
        await house.database.write(utility, at(number), 2000, now=at(number + 1))
        await house.turn(at(number + 1))
    assert await house.periods() == [("mismatch", "utility", "withheld", None)] * 2
    assert (await house.database.read(flags_of, LANE, SITE))[0].cause == "utility"


async def test_the_provider_overrules_a_meter_that_accuses(house: House, cable: Cable) -> None:
    """A site meter that is broken costs nobody the reward."""
    await house.database.write(stolen, cable, at(0))
    await house.turn(at(1))
    assert (await house.periods())[0][2] == "withheld"
    await house.database.write(utility, at(0), 520, now=at(2))
    await house.turn(at(2))
    assert await house.periods() == [("match", "none", "final", "utility")]


async def test_what_is_final_stays_though_the_provider_says_otherwise_later(house: House, cable: Cable) -> None:
    """The money has moved and stays; the provider's word still counts for the site's flag."""
    for number in range(7):
        await house.database.write(honest, cable, at(number))
        await house.turn(at(number + 1))
    before = await house.periods()
    assert [period[2] for period in before] == ["final"] * 3 + ["pending"] * 4
    for number in range(2):
        await house.database.write(utility, at(number), 2000, now=at(40))
    await house.turn(at(40))
    assert await house.periods() == before
    assert (await house.periods("utility_verdict"))[:3] == [("mismatch",), ("mismatch",), (None,)]
    flag = (await house.database.read(flags_of, LANE, SITE))[0]
    assert (flag.cause, flag.evidence) == ("utility", (at(0), at(1)))


async def test_a_provider_that_reads_by_the_hour_speaks_of_both_periods(house: House, cable: Cable) -> None:
    """Once both are there; a quarter of an hour by itself says nothing."""
    await house.database.write(honest, cable, at(0))
    await house.database.write(utility, at(0), 1000, seconds=3600, now=at(2))
    await house.turn(at(1))
    assert await house.periods() == [PENDING]
    await house.database.write(honest, cable, at(1))
    await house.turn(at(2))
    assert await house.periods() == [("match", "none", "final", "utility")] * 2
    await house.database.write(honest, cable, at(2))
    await house.database.write(utility, at(2), 250, seconds=900, now=at(3))
    await house.turn(at(3))
    assert (await house.periods())[2] == PENDING
    await house.database.write(utility, at(2) + 900, 260, seconds=900, now=at(3))
    await house.turn(at(3))
    assert (await house.periods())[2] == ("match", "none", "final", "utility")


async def test_a_provider_without_consumption_convicts_a_meter_that_says_otherwise(house: House, cable: Cable) -> None:
    """Basis before: the site's meter claims a drop that the supply point never saw."""
    await house.database.write(cable.sign, at(0), -1500)
    await house.database.write(claim, at(0), -1500, meter_wh=500, before_wh=2000)
    await house.database.write(utility, at(0), 2000)
    await house.turn(at(1))
    assert await house.periods() == [("mismatch", "utility", "withheld", None)]


async def test_a_mismatch_begins_the_look_back_anew(house: House, cable: Cable) -> None:
    """What waits waits for four sound periods in a row."""
    await house.database.write(set_terms, replace(RATES, mismatches=4))
    for number, make in enumerate((honest, honest, stolen, honest, honest, honest)):
        await house.database.write(make, cable, at(number))
        await house.turn(at(number + 1))
    assert [period[2] for period in await house.periods()] == ["pending", "pending", "withheld", *["pending"] * 3]
    await house.database.write(honest, cable, at(6))
    await house.turn(at(7))
    assert [period[2] for period in await house.periods()][:3] == ["final", "final", "withheld"]


async def test_a_lifted_flag_stays_lifted_until_there_is_new_guilt(house: House, cable: Cable) -> None:
    """What the site was flagged for counts no more; two new thefts do."""
    for number in range(2):
        await house.database.write(stolen, cable, at(number))
        await house.turn(at(number + 1))
    lifted = SiteStanding("allowed", "none", at(2))
    await house.database.write(set_flag, LANE, SITE, lifted, by="staff", note="wired anew")
    await house.database.write(stolen, cable, at(2))
    await house.turn(at(3))
    assert (await house.database.read(standing_of, LANE, SITE, at(3))).permission == "allowed"
    await house.database.write(stolen, cable, at(3))
    await house.turn(at(4))
    history = await house.database.read(flags_of, LANE, SITE, limit=9)
    assert [(flag.number, flag.permission, flag.evidence) for flag in history] == [
        (3, "denied", (at(2), at(3))),
        (2, "allowed", ()),
        (1, "denied", (at(0), at(1))),
    ]


@pytest.mark.parametrize(("decision", "state"), [("release", "final"), ("void", "void")])
async def test_what_a_person_decides_stays(house: House, cable: Cable, decision: str, state: str) -> None:
    """Released or void, with a note; neither the rule nor another person undoes it."""
    await house.database.write(stolen, cable, at(0))
    await house.turn(at(1))

    def decided(conn: Connection, wanted: str, note: str) -> object:
        return decide(conn, LANE, (SITE, at(0), "C7"), wanted, by="staff", note=note, now=at(2))  # type: ignore[arg-type]

    outcome = await house.database.write(decided, decision, "seen myself")
    assert isinstance(outcome, tuple)
    assert outcome[1]
    again = await house.database.write(decided, decision, "seen myself")
    assert isinstance(again, tuple)
    assert not again[1]
    other = "void" if decision == "release" else "release"
    assert await house.database.write(decided, other, "no") == "ended-otherwise"
    await house.database.write(utility, at(0), 520 if decision == "void" else 2000, now=at(3))
    await house.turn(at(3))
    assert await house.periods("state", "decided_by", "note") == [(state, "staff", "seen myself")]


async def test_judging_again_changes_nothing(house: House, cable: Cable) -> None:
    """A second process, or this one begun anew, finds everything as it is."""
    for number, make in enumerate((honest, stolen, honest)):
        await house.database.write(make, cable, at(number))
    await house.turn(at(3))
    before = await house.periods("verdict", "cause", "state", "judged_at")
    other = House(house.database)
    assert await other.turn(at(3) + 61) == 0
    assert await house.periods("verdict", "cause", "state", "judged_at") == before


async def test_one_site_that_cannot_be_judged_holds_up_no_other(
    house: House, cable: Cable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its failure is logged once and tried again."""

    def fails(conn: Connection, sight: object, now: int) -> object:
        if getattr(sight, "site", "") == SITE:
            raise LookupError("so")
        return keep(conn, sight, now)  # type: ignore[arg-type]

    def both(conn: Connection) -> None:
        honest(conn, cable, at(0))
        Cable("C8").sign(conn, at(0), -100, site="flat")
        claim(conn, at(0), -100, cable="C8", site="flat", meter_wh=900, consumption_wh=1000)

    await house.database.write(both)
    monkeypatch.setattr("cloud.v2g.judgement.keep.store.keep", fails)
    await house.judge.turn(house.hands, at(1))
    assert await house.periods("site", "verdict") == [("flat", "match"), ("house", "unknown")]
    monkeypatch.setattr("cloud.v2g.judgement.keep.store.keep", keep)
    await house.turn(at(1) + 5)
    assert await house.periods("site", "verdict") == [("flat", "match"), ("house", "match")]


async def test_a_cable_that_says_to_be_far_away_is_denied_while_it_does(house: House, cable: Cable) -> None:
    """Whether the site's report says so or what the cable signed, which no host can alter."""
    home, far = (48_137_154, 11_576_124), (48_180_000, 11_576_124)
    await house.database.write(put_place, LANE, SITE, home, by="staff", now=at(0))
    await house.turn(at(0))
    for number, signed, reported in ((0, home, home), (1, far, home), (2, home, home), (3, None, far)):
        await house.database.write(cable.sign, at(number), 0, place=signed)
        await house.database.write(claim, at(number), 0, meter_wh=500, consumption_wh=500, place=reported)
        await house.turn(at(number + 1))
    causes = [item["C7"]["cause"] for item in await told(house)]
    assert causes == ["none", "place", "none", "place"]


async def test_where_a_cable_says_to_be_as_it_is_plugged_in_counts_until_it_says_something_newer(
    house: House, cable: Cable
) -> None:
    """A receiver that has just come out of a garage still tells the last place it knew; nobody must plug in anew."""
    home, far = (48_137_154, 11_576_124), (48_180_000, 11_576_124)

    def arrives(conn: Connection) -> None:
        assert put_place(conn, LANE, SITE, home, by="staff", now=at(0))
        plugged(conn, at(0) + 60, place=far)
        assert tell_permission(conn, LANE, SITE, at(0) + 60)

    await house.database.write(arrives)
    for number, place in ((0, None), (1, home)):
        await house.database.write(cable.sign, at(number), 0, place=place)
        await house.database.write(claim, at(number), 0, meter_wh=500, consumption_wh=500, place=place)
        await house.turn(at(number + 1))
        causes = [item["C7"]["cause"] for item in await told(house)]
        assert causes == (["place"] if place is None else ["place", "none"])
