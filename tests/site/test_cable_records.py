"""A cable's records over a real server: none counts as fetched before it is kept, each begins where others ended."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from homeassistant.components.modbus import async_get_temporary_unit
from homeassistant.core import HomeAssistant
import pytest

from custom_components.commonwatt.devices.cable import CableDevice
from custom_components.commonwatt.devices.line import TcpLine, line_params
from custom_components.commonwatt.devices.profile import load_profiles
from demo.register_map import Kind
from demo.steered_server import SteeredServer

from .steered import Clock, served
from .test_cable import intervals

PROFILE = load_profiles()["commonwatt_cable"]


@dataclass
class ListShelf:
    """Keeps records in a list, unless it is broken."""

    waits: bool = False
    held: bool = False
    after: int | None = None
    broken: bool = False
    kept: list[str] = field(default_factory=list)
    through: int | None = None

    async def async_keep(self, texts: Sequence[str], through: int) -> bool:
        """Keep."""
        if self.broken:
            return False
        self.kept += texts
        self.through = through
        return True


@pytest.fixture
def clock() -> Clock:
    """Hold the cable's clock at the beginning of a half hour."""
    return Clock()


@pytest.fixture
async def cable(hass: HomeAssistant, socket_enabled: None, clock: Clock) -> AsyncGenerator[CableDevice]:
    """Return a cable that charges Dora's car, on the link that Home Assistant shares."""
    server: SteeredServer = served(Kind.CABLE, clock)
    await server.start()
    line = TcpLine(server.endpoint.host, server.endpoint.port)
    async with async_get_temporary_unit(hass, line_params(line), 1) as unit:
        yield CableDevice(unit, PROFILE, "CWC-1")
    await server.stop()


async def numbers(cable: CableDevice) -> list[int]:
    """Read once; return the numbers of the records that came."""
    return [interval.number for interval in intervals(await cable.async_read())]


async def test_what_could_not_be_kept_is_fetched_again(cable: CableDevice, clock: Clock) -> None:
    """The disk is full: the registers count as ever, and the mailbox is asked until its records lie safely here."""
    shelf = ListShelf(broken=True)
    cable.keep_on(shelf, 0)
    clock.half_hours(2)
    assert (await cable.async_read()).raw.import_wh == 3_680
    assert await numbers(cable) == []
    shelf.broken = False
    assert await numbers(cable) == [1, 2]
    assert (len(shelf.kept), shelf.through) == (2, 2)
    assert await numbers(cable) == []


async def test_after_a_restart_it_goes_on_where_it_was_kept_to(cable: CableDevice, clock: Clock) -> None:
    """Whatever was fetched and not kept comes again."""
    clock.half_hours(6)
    cable.keep_on(ListShelf(waits=True), 3)
    assert await numbers(cable) == [4, 5, 6]


async def test_it_goes_on_after_what_the_cloud_has(cable: CableDevice, clock: Clock) -> None:
    """Another site delivered up to the fifth: what that one missed is delivered here, and nothing twice."""
    shelf = ListShelf()
    cable.keep_on(shelf, 2)
    clock.half_hours(6)
    shelf.after = 5
    assert await numbers(cable) == [6]
    clock.half_hours()
    shelf.after = 1
    assert await numbers(cable) == [7], "who has less takes nothing back"


async def test_a_visitor_is_asked_for_its_records_once_the_cloud_said_which_it_has(
    cable: CableDevice, clock: Clock
) -> None:
    """Beginning with the newest, those missed at the site before would never be delivered."""
    shelf = ListShelf(waits=True)
    cable.keep_on(shelf, None)
    clock.half_hours(6)
    assert await numbers(cable) == []
    shelf.waits, shelf.after = False, 4
    assert await numbers(cable) == [5, 6]


async def test_what_others_may_have_fetched_waits_for_the_clouds_word(cable: CableDevice, clock: Clock) -> None:
    """Back from another site, it goes on after what that one delivered, though it knows where it was itself."""
    shelf = ListShelf(held=True, after=2)
    cable.keep_on(shelf, 2)
    clock.half_hours(6)
    assert await numbers(cable) == []
    shelf.held, shelf.after = False, 4
    assert await numbers(cable) == [5, 6]


async def test_of_a_cable_that_the_cloud_does_not_know_the_newest_record_is_the_first(
    cable: CableDevice, clock: Clock
) -> None:
    """Nobody asked for a month of records of a stranger."""
    cable.keep_on(ListShelf(), None)
    clock.half_hours(6)
    assert await numbers(cable) == [6]


async def test_a_record_that_nobody_can_read_is_passed_over_for_good(
    cable: CableDevice, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its number is kept, though there is nothing else to keep."""
    shelf = ListShelf()
    cable.keep_on(shelf, 0)
    clock.half_hours()

    async def unreadable(_number: int) -> bytes:
        return b"\xff\xfe"

    monkeypatch.setattr(cable._mailbox, "async_record", unreadable)
    assert await numbers(cable) == []
    assert (shelf.kept, shelf.through) == ([], 1)
