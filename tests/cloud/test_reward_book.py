"""Rewards in the books: host and driver in two communities, each once, whatever fails in between."""

import asyncio
from collections.abc import Iterator
import json
from pathlib import Path
import random

import pytest
from sqlalchemy import Connection, select, update

from cloud.database import Database
from cloud.ingest.batches.store import batch_table
from cloud.ingest.readings.store import reading_table
from cloud.ledger import store as ledger
from cloud.ledger.evidence.store import documents
from cloud.notice.kind import BALANCE, CABLES
from cloud.notice.store import notice_table
from cloud.settlement.job import settle
from cloud.settlement.sums.store import statement_of
from cloud.sites.store import community_of, owner_table
from cloud.v2g.audit.store import v2g_findings
from cloud.v2g.corrections.store import corrections_after
from cloud.v2g.judgement.store import judged_period_table
from cloud.v2g.records.store import signed_record_table
from cloud.v2g.reward.driver.store import pay
from cloud.v2g.reward.due.store import look, periods_of
from cloud.v2g.reward.host.store import Taken, take
from cloud.v2g.reward.legs import GridPrices, bill_micro
from cloud.v2g.reward.reward import Rate, reward
from cloud.v2g.reward.store import driver_reward_table, figures, host_leg_table, rewarded_period_table
from cloud.v2g.terms.store import v2g_terms_table
from cloud.v2g.terms.terms import Terms

from .ground import HALF_HOUR, NOON, OpenDatabase, Tap, add_site, report
from .reward_ground import (
    BASE,
    DRIVERS,
    HOSTS,
    NOW,
    PRICE,
    SITE,
    Cable,
    entries,
    ground,
    measured,
    pay_all,
    rows,
    set_terms,
    sound,
    turn,
)

BUY, SELL = 30_000, 8_000


@pytest.fixture
def database(open_database: OpenDatabase, tmp_path: Path) -> Iterator[Database]:
    """Open a database of both kinds."""
    opened = open_database(tmp_path)
    yield opened
    opened.dispose()


@pytest.fixture
def cable(database: Database) -> Cable:
    """Found the two communities, and a cable of dora's."""
    with database.engine.begin() as conn:
        return ground(conn)


async def test_a_discharge_pays_the_driver_and_leaves_the_hosts_bill_alone(database: Database, cable: Cable) -> None:
    """The house used 2000 Wh, the car gave 1500 of them: the meter saw 500, and the host buys the rest back."""
    with database.engine.begin() as conn:
        measured(conn, NOON, 500)
        cable.gave(conn, NOON, -1500)
    assert await turn(database) == 2
    (host,) = (await database.read(entries, HOSTS)).values()
    assert host == {"owner:anna": -1500 * BUY, "aggregator": 1500 * BUY}
    (driver,) = (await database.read(entries, DRIVERS)).values()
    assert driver == {"owner:dora": BASE + 1500 * PRICE, "aggregator": -(BASE + 1500 * PRICE)}
    balances = await database.read(ledger.balances, HOSTS)
    assert balances["owner:anna"] == -2000 * BUY
    await sound(database)


async def test_a_leg_across_zero_is_priced_on_both_sides(database: Database, cable: Cable) -> None:
    """The house feeds 1000 Wh to the grid while the car gives 1500: 500 were bought, 1000 sold."""
    with database.engine.begin() as conn:
        measured(conn, NOON, 0, 1000)
        cable.gave(conn, NOON, -1500)
    await turn(database)
    (host,) = (await database.read(entries, HOSTS)).values()
    assert host["owner:anna"] == -1000 * SELL - 500 * BUY


async def test_nothing_is_posted_twice(database: Database, cable: Cable) -> None:
    """Neither by another turn, nor by two at once, nor by steps that are taken again."""
    with database.engine.begin() as conn:
        measured(conn, NOON, 500)
        cable.gave(conn, NOON, -1500)
    await settle(database, NOW)
    await asyncio.gather(*(pay_all(database) for _ in range(4)))
    assert await pay_all(database) == 0
    assert await database.read(entries, HOSTS) != {}
    assert [len(await database.read(rows, table)) for table in (host_leg_table, driver_reward_table)] == [1, 1]
    await sound(database)


async def test_what_was_cut_off_between_two_communities_goes_on(database: Database, cable: Cable) -> None:
    """After the host's side, and after the driver's side before that is noted: each is done once in the end."""
    with database.engine.begin() as conn:
        measured(conn, NOON, 500)
        cable.gave(conn, NOON, -1500)
    await settle(database, NOW)
    key = (NOON, "anna")
    periods = await database.read(periods_of, HOSTS, key)
    assert isinstance(await database.write(take, HOSTS, key, periods, NOW), Taken)
    assert await database.write(take, HOSTS, key, periods, NOW) == "nothing-new"
    (item,) = (await database.read(look, HOSTS)).unpaid
    assert await database.write(pay, item.period, item.rate, NOW) == "paid"
    assert await database.write(pay, item.period, item.rate, NOW + 60) == "paid-already"
    assert await pay_all(database, NOW + 60) == 1
    assert (await database.read(look, HOSTS)).unpaid == []
    assert len(await database.read(entries, DRIVERS)) == 1
    await sound(database)


@pytest.mark.parametrize("state", ["pending", "withheld", "void"])
async def test_only_what_is_final_moves_points(database: Database, cable: Cable, state: str) -> None:
    """Nobody gains and nobody is debited on suspicion, and the operator's no stands."""
    with database.engine.begin() as conn:
        measured(conn, NOON, 500)
        decided = NOON + HALF_HOUR if state == "void" else None
        cable.gave(conn, NOON, -1500, state=state, witness=None, decided_at=decided)
    assert await turn(database) == 0
    assert await database.read(entries, HOSTS) == await database.read(entries, DRIVERS) == {}


async def test_a_final_period_waits_for_its_interval_to_be_settled(database: Database, cable: Cable) -> None:
    """Until then there is no net to correct; what waits is told as pending."""
    with database.engine.begin() as conn:
        cable.gave(conn, NOON, -1500)
    assert await turn(database) == 0
    assert (await database.read(figures, "C7", DRIVERS, "dora", NOW)).pending_micro == BASE + 1500 * PRICE
    with database.engine.begin() as conn:
        measured(conn, NOON, 500)
    assert await turn(database, NOW + 1200) == 2
    with database.engine.begin() as conn:
        measured(conn, NOON + HALF_HOUR, 500)
        cable.gave(conn, NOON + HALF_HOUR, -10, decided_at=NOW + 1900)
    assert await turn(database, NOW + 2400) == 2, "the horizon has not passed it by"


async def test_a_second_cable_that_is_final_later_brings_the_leg_to_where_both_stand(
    database: Database, cable: Cable
) -> None:
    """Each alone would be priced otherwise: the leg of both is posted as the difference to what stood."""
    with database.engine.begin() as conn:
        other = Cable("C8", DRIVERS, "emil")
        other.register(conn)
        measured(conn, NOON, 0, 1000)
        cable.gave(conn, NOON, -1500)
        other.gave(conn, NOON, -700, state="withheld", witness=None, decided_at=None)
    await turn(database)
    release = update(judged_period_table).where(judged_period_table.c.cable == "C8")
    with database.engine.begin() as conn:
        conn.execute(release.values(state="final", decided_at=NOW))
    assert await turn(database, NOW + 60) == 2
    legs = [amounts["owner:anna"] for amounts in (await database.read(entries, HOSTS)).values()]
    assert legs == [-1000 * SELL - 500 * BUY, -700 * BUY]
    assert sorted(item.revision for item in await database.read(rows, host_leg_table)) == [0, 1]
    await sound(database)


async def test_a_corrected_interval_corrects_the_leg(database: Database, cable: Cable) -> None:
    """Better readings change the net across zero; host and provider are told what stands now."""
    with database.engine.begin() as conn:
        measured(conn, NOON, 0, 1000)
        cable.gave(conn, NOON, -1500)
    await turn(database)
    with database.engine.begin() as conn:
        add_later_batch(conn)
        conn.execute(update(reading_table).values(export_wh=0, import_wh=200, seq=reading_table.c.seq + 1))
    await settle(database, NOW + 300)
    assert await pay_all(database, NOW + 300) == 1
    host = [amounts["owner:anna"] for amounts in (await database.read(entries, HOSTS)).values()]
    assert sum(host) == -1500 * BUY
    told = await database.read(corrections_after, HOSTS, 0, 10)
    assert [(item.number, item.state, item.supply.host_net_wh) for item in told] == [
        (1, "final", 500),
        (2, "corrected", 1700),
    ]
    assert await pay_all(database, NOW + 900) == 0


def add_later_batch(conn: Connection) -> None:
    """Copy the batch under the next number, derived now."""
    row = conn.execute(select(batch_table)).first()
    assert row is not None
    times = {"first_start": NOON, "last_end": NOON + HALF_HOUR, "derived_at": NOW + 200}
    conn.execute(batch_table.insert().values(row._asdict() | {"seq": row.seq + 1, "hash": "1" * 64} | times))


async def test_a_cable_moved_within_a_period_is_paid_the_basic_amount_once(database: Database, cable: Cable) -> None:
    """Ten minutes at one site, the rest at another: two parts, energies of both, one base."""
    with database.engine.begin() as conn:
        add_site(conn, "barn", main_owner="ben")
        measured(conn, NOON, 500)
        report(conn, "barn", NOON, {"main": Tap("ben", None, 900)})
        cable.sign(conn, NOON, -200, seconds=600)
        cable.sign(conn, NOON + 900, 300, seconds=900, site="barn")
        cable.judged(conn, NOON, -200)
        cable.judged(conn, NOON, 300, site="barn", host_owner="ben")
    assert await turn(database) == 4
    told = await database.read(figures, "C7", DRIVERS, "dora", NOW)
    assert told.total_micro == BASE + (200 - 300) * PRICE
    assert sum(row.base_due for row in await database.read(rows, driver_reward_table)) == 1
    host = await database.read(entries, HOSTS)
    assert sorted(amounts.get("owner:ben", 0) for amounts in host.values()) == [0, 300 * BUY]
    await sound(database)


async def test_records_that_do_not_add_up_to_the_judgement_hold_it_back(database: Database, cable: Cable) -> None:
    """A row that says another energy than the cable signed pays nobody."""
    with database.engine.begin() as conn:
        measured(conn, NOON, 500)
        cable.sign(conn, NOON, -1500)
        cable.judged(conn, NOON, -1501)
    assert await turn(database) == 0
    assert await database.read(entries, HOSTS) == {}


async def test_a_record_that_came_as_its_period_ended_holds_nothing_back(database: Database, cable: Cable) -> None:
    """Two machines: it bears a time before the judgement and was not seen by it. What was judged is paid, once."""
    with database.engine.begin() as conn:
        measured(conn, NOON, 500)
        for start, energy_wh in ((NOON, -2), (NOON + 900, -1500)):
            cable.sign(conn, start, energy_wh, seconds=900)
        conn.execute(update(signed_record_table).values(stored_at=NOON + HALF_HOUR))
        cable.judged(conn, NOON, -1500)
    await turn(database)
    (row,) = await database.read(rows, driver_reward_table)
    assert row.reward_micro == BASE + 1500 * PRICE
    for community in (HOSTS, DRIVERS):
        assert await database.read(v2g_findings, community) == []


async def test_a_cable_of_nobody_corrects_the_host_and_rewards_nobody(database: Database, cable: Cable) -> None:
    """The energy has flowed whoever owns the cable; an operator who releases it pays no stranger."""
    with database.engine.begin() as conn:
        measured(conn, NOON, 500)
        cable.gave(conn, NOON, -1500, driver=None, driver_community=None)
    assert await turn(database) == 1
    assert await database.read(entries, DRIVERS) == {}


async def test_who_is_no_owner_any_more_is_neither_paid_nor_debited(database: Database, cable: Cable) -> None:
    """A driver who left is passed by, and so is a host; it is said once, and others go on."""
    with database.engine.begin() as conn:
        measured(conn, NOON, 500)
        measured(conn, NOON + HALF_HOUR, 500)
        cable.gave(conn, NOON, -1500, driver="gone")
        cable.gave(conn, NOON + HALF_HOUR, -100, host_owner="gone")
    assert await turn(database) == 1
    assert len(await database.read(entries, HOSTS)) == 1
    assert await database.read(entries, DRIVERS) == {}
    with database.engine.begin() as conn:
        owner = {"bucket": conn.execute(select(owner_table.c.bucket).filter_by(owner="dora")).scalar_one()}
        owner |= {"community": DRIVERS, "owner": "gone", "name": "Back", "created_at": NOON}
        conn.execute(owner_table.insert().values(owner))
    assert await turn(database, NOW + 60) == 1


async def test_terms_are_those_of_the_period_and_what_is_paid_stays_paid(database: Database, cable: Cable) -> None:
    """New terms are for periods that begin under them."""
    with database.engine.begin() as conn:
        set_terms(conn, Terms(price_micro_per_wh=1), valid_from=NOON + HALF_HOUR, number=2)
        for start in (NOON, NOON + HALF_HOUR):
            measured(conn, start, 500)
            cable.gave(conn, start, -1000)
    await turn(database)
    paid = [amounts["owner:dora"] for amounts in (await database.read(entries, DRIVERS)).values()]
    assert paid == [BASE + 1000 * PRICE, 1000]


async def test_before_a_community_has_terms_nothing_is_booked(database: Database, cable: Cable) -> None:
    """With no price set, a car would charge at the aggregator's cost; later terms do not reach back."""
    with database.engine.begin() as conn:
        conn.execute(v2g_terms_table.delete())
        measured(conn, NOON, 500)
        cable.gave(conn, NOON, 1000)
    assert await turn(database) == 0
    with database.engine.begin() as conn:
        set_terms(conn, Terms(price_micro_per_wh=PRICE), valid_from=NOON + HALF_HOUR)
        measured(conn, NOON + HALF_HOUR, 500)
        cable.gave(conn, NOON + HALF_HOUR, 1000, decided_at=NOW)
    assert await turn(database, NOW + 60) == 2, "leg and reward of the period under terms, and of no other"
    (row,) = await database.read(rows, rewarded_period_table)
    assert row.start == NOON + HALF_HOUR


async def test_terms_that_pay_nothing_correct_the_host_all_the_same(database: Database, cable: Cable) -> None:
    """A reward of nothing has no entry, its document is kept."""
    with database.engine.begin() as conn:
        measured(conn, NOON, 500)
        set_terms(conn, Terms(), number=2)
        cable.gave(conn, NOON, -1500)
    assert await turn(database) == 2
    (row,) = await database.read(rows, driver_reward_table)
    assert (row.entry, row.reward_micro, json.loads(row.document)["energy_wh"]) == (None, 0, -1500)
    assert len(await database.read(entries, HOSTS)) == 1


async def test_documents_name_records_prices_and_no_person(database: Database, cable: Cable) -> None:
    """Whoever has the records can work it out once more; owners are not named."""
    with database.engine.begin() as conn:
        measured(conn, NOON, 500)
        cable.gave(conn, NOON, -1500)
    await turn(database)
    kept = {}
    for community in (HOSTS, DRIVERS):
        numbers = [link.number for link in await database.read(ledger.links, community, 0)]
        for raw in (await database.read(documents, community, numbers)).values():
            kept[json.loads(raw).get("kind")] = raw.decode()
    host, reward = json.loads(kept["v2g-host"]), json.loads(kept["v2g-reward"])
    assert (host["net_wh"], host["cable_wh"], host["leg_micro"]) == (500, -1500, -1500 * BUY)
    assert [number for number, _ in reward["records"]] == [1]
    assert host["cables"] == [[SITE, "C7", -1500, reward["records"]]]
    assert not [name for name in ("anna", "dora") for text in kept.values() if name in text]


async def test_the_figures_are_of_the_drivers_day_and_what_waits_is_capped(database: Database, cable: Cable) -> None:
    """Yesterday's is in the total only; pending is never told above the cap of the terms."""
    with database.engine.begin() as conn:
        measured(conn, NOON, 500)
        cable.gave(conn, NOON, -1500)
        for number in range(1, 4):
            start = NOON + number * HALF_HOUR
            cable.gave(conn, start, -1500, state="pending", witness=None, decided_at=None)
    await turn(database)
    earned = BASE + 1500 * PRICE
    today = await database.read(figures, "C7", DRIVERS, "dora", NOW)
    assert (today.today_micro, today.total_micro, today.pending_micro) == (earned, earned, 50_000_000)
    tomorrow = await database.read(figures, "C7", DRIVERS, "dora", NOW + 86_400)
    assert (tomorrow.today_micro, tomorrow.total_micro) == (0, earned)
    assert (await database.read(figures, "C7", DRIVERS, "emil", NOW)).total_micro == 0


async def test_everybody_concerned_is_told(database: Database, cable: Cable) -> None:
    """Balances of host and driver, and both sites that there is news of cables."""
    with database.engine.begin() as conn:
        measured(conn, NOON, 500)
        cable.gave(conn, NOON, -1500)
    await turn(database)
    told = {(row.site, row.kind) for row in await database.read(rows, notice_table)}
    assert told >= {(SITE, BALANCE), (SITE, CABLES), ("flat", BALANCE), ("flat", CABLES)}


async def test_statements_of_both_name_what_moved(database: Database, cable: Cable) -> None:
    """The driver's reward is among the rewards; the host's correction is a line of its own and no reward."""
    with database.engine.begin() as conn:
        measured(conn, NOON, 500)
        cable.gave(conn, NOON, -1500)
    await turn(database)
    kinds = {}
    for community, owner in ((HOSTS, "anna"), (DRIVERS, "dora")):
        settings = await database.read(community_of, community)
        assert settings is not None
        statement, _ = await database.read(statement_of, settings, owner, (NOON, NOW + 1), NOW)
        (moved,) = statement.movements
        kinds[moved.kind] = (moved.points_micro, statement.totals.rewards_micro)
    earned = BASE + 1500 * PRICE
    assert kinds == {"v2g-host": (-1500 * BUY, 0), "v2g-reward": (earned, earned)}


async def test_every_period_lies_in_one_leg(database: Database, cable: Cable) -> None:
    """What the host's side keeps of a period is what was judged."""
    with database.engine.begin() as conn:
        measured(conn, NOON, 500)
        cable.gave(conn, NOON, 0)
    assert await turn(database) == 2
    (row,) = await database.read(rows, rewarded_period_table)
    assert (row.energy_wh, row.host, row.rewarded_at) == (0, "anna", NOW)
    assert await database.read(entries, HOSTS) == {}, "an idle cable changes no bill"
    assert len(await database.read(entries, DRIVERS)) == 1, "and earns the basic amount"


@pytest.mark.parametrize("seed", range(5))
async def test_whatever_comes_in_whatever_order_the_books_end_the_same(
    database: Database, cable: Cable, seed: int
) -> None:
    """Cables of any sign, intervals settled before or after: bills are those without cables, rewards by the rule."""
    draw = random.Random(seed)
    others = [Cable(f"C{number}", DRIVERS, "emil") for number in (8, 9)]
    cables, starts = [cable, *others], [NOON + number * HALF_HOUR for number in range(3)]
    meters = {start: draw.randint(-900, 900) for start in starts}
    energies = {(item.serial, start): draw.randint(-800, 800) for item in cables for start in starts}
    with database.engine.begin() as conn:
        for item in others:
            item.register(conn)
        for start in starts:
            for item in cables:
                item.gave(conn, start, energies[item.serial, start], state="pending", witness=None, decided_at=None)
    steps: list[tuple[str, int]] = [*energies, *(("meter", start) for start in starts)]
    draw.shuffle(steps)
    for number, (what, start) in enumerate(steps):
        now = NOW + number
        with database.engine.begin() as conn:
            if what == "meter":
                measured(conn, start, max(meters[start], 0), max(-meters[start], 0))
            else:
                final = update(judged_period_table).filter_by(cable=what, start=start)
                conn.execute(final.values(state="final", decided_at=now))
        await turn(database, now)
    prices, rate = GridPrices(BUY, SELL), Rate(BASE, PRICE)
    cables_wh = {start: sum(wh for (_, at), wh in energies.items() if at == start) for start in starts}
    bill = sum(bill_micro(meters[start] - cables_wh[start], prices) for start in starts)
    assert (await database.read(ledger.balances, HOSTS))["owner:anna"] == -bill
    paid = await database.read(ledger.balances, DRIVERS)
    for owner, serials in (("dora", {"C7"}), ("emil", {"C8", "C9"})):
        earned = [reward(rate, wh, connected=True).micro for (serial, _), wh in energies.items() if serial in serials]
        assert paid[f"owner:{owner}"] == sum(earned)
    assert await database.read(v2g_findings, HOSTS) == await database.read(v2g_findings, DRIVERS) == []
    await sound(database)
