"""Where a breaker cannot be moved the reason reaches a person, once, and nobody stays dark for a mistake of ours."""

from collections.abc import Callable

from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er
import pytest

from custom_components.commonwatt.breaker import Guard
from custom_components.commonwatt.devices import breaker
from custom_components.commonwatt.errors import DeviceError, OutboxError


def failing(error: Exception) -> Callable[[], object]:
    """Return a turn that fails."""

    async def turn() -> None:
        raise error

    return turn


async def done() -> None:
    """Be a turn in which all goes well."""


async def test_an_outbox_that_fails_is_told_once(expected_logs: list[str], caplog: pytest.LogCaptureFixture) -> None:
    """And again when it fails anew."""
    expected_logs.append("no breaker moves while the outbox fails")
    guard = Guard("Home")
    told = []
    for turn in (failing(OutboxError("full")), failing(OutboxError("full")), done, failing(OutboxError("full"))):
        await guard(turn())  # type: ignore[arg-type]
        told.append(caplog.text.count("no breaker moves"))
    assert told == [1, 1, 1, 2]


async def test_a_mistake_of_ours_ends_no_supply(expected_logs: list[str], caplog: pytest.LogCaptureFixture) -> None:
    """The turn is over, its traceback is in the log, and the next one runs."""
    expected_logs.append("keeping owners supplied failed")
    guard = Guard("Home")
    await guard(failing(ValueError("ours"))())  # type: ignore[arg-type]
    assert "ValueError: ours" in caplog.text
    await guard(done())


async def test_why_a_switch_refuses_is_told(hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the words of whoever refused."""
    monkeypatch.setattr(breaker, "PAUSE_S", 0)

    async def refuse(_call: ServiceCall) -> None:
        raise HomeAssistantError("the radio is off")

    hass.services.async_register("switch", "turn_off", refuse)
    hass.states.async_set("switch.flat", "on")
    with pytest.raises(DeviceError, match=r"switch\.flat: the radio is off"):
        await breaker.AdoptedBreaker(hass, "switch.flat").async_switch(closed=False)


async def test_a_switch_that_is_gone_from_the_registry_is_told(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was chosen by its registry id, so there is no name left."""
    monkeypatch.setattr(breaker, "PAUSE_S", 0)
    registry = er.async_get(hass)
    entry = registry.async_get_or_create("switch", "test", "flat")
    adopted = breaker.AdoptedBreaker(hass, entry.id)
    registry.async_remove(entry.entity_id)
    with pytest.raises(DeviceError, match="the switch: does not exist"):
        await adopted.async_switch(closed=True)
