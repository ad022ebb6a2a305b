"""What a hostile host, driver or stranger tries with cables, and what comes of it."""

import json
from time import perf_counter
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from cloud.ingest.cables.store import cable_arrival_table
from cloud.v2g.judgement.job import Judge
from cloud.v2g.records.awaited import SPANS_MAX, Awaited
from cloud.v2g.records.places import said_at_two, signed_at_two
from cloud.v2g.records.signed import Presence
from cloud.v2g.turn import Hands
from demo.signed import SignedIntervals

from .cable_ground import SERIAL, START, SigningCable, found, host, look, period
from .conftest import INTERVAL, NOON, Cloud
from .people import HILLSIDE, MANAGER

HOME = (48_137_154, 11_576_124)
FAR = (48_180_000, 11_576_124)  # 5 km north


async def test_who_tells_of_plugging_in_again_does_not_hide_where_the_cable_signed_to_be(cloud: Cloud) -> None:
    """A host writes its id into a cable that is somewhere else, and would have what it signed before forgotten."""
    await cloud.found()
    place, cable = await host(cloud), SigningCable()
    assert (await cable.register(cloud)).status == 201
    body = {"latitude_e6": HOME[0], "longitude_e6": HOME[1]}
    assert (await MANAGER.call(cloud, "PUT", f"sites/{place.id}/place", body)).status == 201
    assert (await place.plug(cable, NOON - 7 * INTERVAL, place=HOME)).json["permission"] == "allowed"
    record = cable.sign(NOON - 5 * INTERVAL, -700, site=place.id, place=FAR)
    await place.report(NOON - 5 * INTERVAL, [period(-700, place=HOME)], [(SERIAL, record)])
    await look(cloud)
    for at in (NOON - INTERVAL, NOON, NOON + 86_400 * 365):
        told = (await place.plug(cable, at, place=HOME)).json
        assert (told["permission"], told["cause"]) == ("denied", "place")
    near = cable.sign(NOON - INTERVAL, 0, site=place.id, place=HOME)
    await place.report(NOON - INTERVAL, [period(0, place=HOME)], [(SERIAL, near)])
    await look(cloud)
    assert (await place.plug(cable, NOON, place=HOME)).json["permission"] == "allowed", "its newest word counts"


async def test_a_host_that_takes_energy_and_says_nothing_is_found_at_the_next_site(cloud: Cloud) -> None:
    """It reports nothing and hands nothing on; what the cable signed there comes by whoever is next."""
    await cloud.found()
    await cloud.found(HILLSIDE)
    thief, honest, cable = await host(cloud), await host(cloud, HILLSIDE), SigningCable()
    assert (await cable.register(cloud)).status == 201
    assert (await thief.plug(cable, START)).json["permission"] == "allowed"
    records = [(SERIAL, cable.sign(START, -4000, site=thief.id)), (SERIAL, cable.sign(START + INTERVAL, 5))]
    await honest.report(START + 5 * INTERVAL, [period(0)], records)
    await look(cloud)
    (silent,) = await found(cloud)
    assert (silent.kind, silent.site, silent.number, silent.at) == ("unreported", thief.id, 2, START)
    assert silent.closed_at is None
    await thief.report(START, [period(-4000)])
    await look(cloud)
    (told,) = await found(cloud)
    assert told.closed_at is not None, "its line was down"


async def test_an_honest_host_whose_line_was_down_is_not_found_silent(cloud: Cloud) -> None:
    """What it reports and hands on comes hours late, and together."""
    await cloud.found()
    place, cable = await host(cloud), SigningCable()
    assert (await cable.register(cloud)).status == 201
    for number in range(8):
        start = START + number * INTERVAL
        await place.report(start, [period(-400)], [(SERIAL, cable.sign(start, -400, site=place.id))])
    await look(cloud)
    assert await found(cloud) == []


def test_a_cable_that_makes_numbers_up_is_not_waited_for_without_end() -> None:
    """Every other number is left out; what is remembered of that is bounded, and it is the newest."""
    awaited = Awaited(2, 1)
    for number in range(2, 4 * SPANS_MAX, 2):
        awaited = awaited.came(number)
    assert len(awaited.missing) == SPANS_MAX
    assert awaited.missing[-1] == (awaited.high - 1, awaited.high - 1)


def test_many_words_about_one_cable_are_laid_side_by_side_at_once() -> None:
    """As many as a hostile site can say of two hours around an interval: others wait for the answer."""
    said = [Presence("lane", f"s{site}", at, 10, -5) for site in range(2) for at in range(0, 4 * 3600, 20 + 10 * site)]
    said += [Presence("lane", "s0", at, 0, 0) for at in range(0, 4 * 3600, 2)]
    begun = perf_counter()
    said_at_two([], said)
    signed_at_two([])
    assert perf_counter() - begun < 5


class Liar(SignedIntervals):
    """A cable whose driver has its key and signs whatever comes to mind."""

    def say(self, **members: Any) -> str:
        """Sign a payload that is changed at will."""
        span = START * 1000, (START + INTERVAL) * 1000
        self.close(span, (5, 5), (5, 905), "dora", "C", site="here")
        payload = json.loads(self.record(self.newest).split("|")[1])
        times = members.pop("times", None)
        for reading, at in zip(payload["RD"], times or (), strict=times is not None):
            reading["TM"] = at
        text = json.dumps(payload | members, ensure_ascii=False)
        signature = self._key.sign(text.encode(), ec.ECDSA(SHA256())).hex()
        return f'OCMF|{text}|{{"SD":"{signature}"}}'


FIRST, LAST = "1970-01-01T00:00:00,000+0000 S", "9999-12-31T23:59:59,999-2359 S"


async def test_whatever_a_driver_signs_the_cloud_goes_on(cloud: Cloud) -> None:
    """The largest numbers, times, places and texts that a record can hold: each is looked at once, and answered."""
    await cloud.found()
    place, cable = await host(cloud), SigningCable()
    liar = cable.signed = Liar(SERIAL)
    assert (await cable.register(cloud)).status == 201
    signed = [
        liar.say(PG=f"T{2**53}"),
        liar.say(PG="T999999999999999999"),
        liar.say(PG="T0"),
        liar.say(PG="F7"),
        liar.say(times=(FIRST, FIRST, LAST, LAST)),
        liar.say(times=(LAST, LAST, FIRST, FIRST)),
        liar.say(CI="\u30b1" * 200, XV="\U0001f697" * 36, ID="\ufffd"),
        liar.say(XP=[90_000_000, -180_000_000]),
        liar.say(RD=[]),
        liar.say(ID="\ud800".encode("utf-8", "replace").decode()),
        liar.say(CI="x' OR 1=1 --"),
    ]
    await place.report(START, [period(-900)], [(SERIAL, text) for text in signed])
    await look(cloud)
    assert all(row.handled_at is not None for row in await cloud.rows(cable_arrival_table))
    await look(cloud, NOON + 86_400)
    hands, judge = Hands(cloud.database, lambda: None), Judge()
    for _ in range(3):
        await judge.turn(hands, NOON + 86_400)
    assert not hands.failing
    for what in ("records?limit=500", "findings?limit=500"):
        assert (await MANAGER.call(cloud, "GET", f"cables/{SERIAL}/{what}")).status == 200
    assert (await place.plug(cable)).status == 200
