"""What a hostile host, driver or stranger tries with cables, and what comes of it."""

from time import perf_counter

from cloud.v2g.records.awaited import SPANS_MAX, Awaited
from cloud.v2g.records.places import said_at_two, signed_at_two
from cloud.v2g.records.signed import Presence

from .cable_ground import SERIAL, SigningCable, host, look, period
from .conftest import INTERVAL, NOON, Cloud
from .people import MANAGER

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
