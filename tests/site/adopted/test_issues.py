"""What only a person can mend about an adopted entity is told with tap and entity, and goes by itself when mended."""

from collections.abc import Callable
from typing import Any
from unittest.mock import AsyncMock

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntryDisabler, ConfigEntryState
from homeassistant.core import CoreState, HomeAssistant
from homeassistant.helpers import entity_registry as er, issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockModule, mock_integration

from custom_components.commonwatt.adopted_issues import PATIENCE_S
from custom_components.commonwatt.const import DOMAIN
from custom_components.commonwatt.devices.adopted import Fault

from ..house import MockConfigEntry, entities_source, site_of, subentry
from .things import adopted, show

KINDS = ("entity_gone", "entity_disabled", "entity_not_provided", "entity_wrong_unit")


@pytest.fixture
def provider(hass: HomeAssistant) -> MockConfigEntry:
    """Return an integration that provides the entity, and runs."""
    mock_integration(hass, MockModule("demo", async_unload_entry=AsyncMock(return_value=True)))
    provider = MockConfigEntry(domain="demo", state=ConfigEntryState.LOADED)
    provider.add_to_hass(hass)
    return provider


@pytest.fixture
def entity(hass: HomeAssistant, provider: MockConfigEntry) -> er.RegistryEntry:
    """Return an energy entity in the registry, which says 5 kWh."""
    entity = er.async_get(hass).async_get_or_create("sensor", "demo", "energy", config_entry=provider)
    show(hass, entity.entity_id, 5, "kWh")
    return entity


@pytest.fixture
async def site(
    hass: HomeAssistant,
    make_local: Callable[..., MockConfigEntry],
    clock: object,
    entity: er.RegistryEntry,
    expected_logs: list[str],
) -> MockConfigEntry:
    """Run a site with one tap that is measured by the entity."""
    expected_logs.append("is silent")
    site = make_local(subentry("T1", source=entities_source(entity.id)))
    assert await hass.config_entries.async_setup(site.entry_id)
    await hass.async_block_till_done()
    return site


async def wait(hass: HomeAssistant, site: MockConfigEntry, clock: FrozenDateTimeFactory, seconds: float) -> None:
    """Let time pass, with a poll at its beginning and at its end."""
    await site_of(site).async_refresh()
    clock.tick(seconds)
    await site_of(site).async_refresh()
    await hass.async_block_till_done()


def told(hass: HomeAssistant, site: MockConfigEntry) -> dict[str, str]:
    """Return the taps that each issue names."""
    registry = ir.async_get(hass)
    found = {kind: registry.async_get_issue(DOMAIN, f"{kind}_{site.entry_id}") for kind in KINDS}
    return {
        kind: issue.translation_placeholders["taps"]
        for kind, issue in found.items()
        if issue is not None and issue.translation_placeholders is not None
    }


async def test_a_sound_entity_is_no_issue(
    hass: HomeAssistant, site: MockConfigEntry, clock: FrozenDateTimeFactory
) -> None:
    """Nor is one that is away for a while."""
    await wait(hass, site, clock, 2 * PATIENCE_S)
    show(hass, "sensor.demo_energy", "unavailable", "kWh")
    await wait(hass, site, clock, 2 * PATIENCE_S)
    assert told(hass, site) == {}


async def test_an_entity_that_was_removed_is_told_of(
    hass: HomeAssistant, site: MockConfigEntry, clock: FrozenDateTimeFactory, entity: er.RegistryEntry
) -> None:
    """By the name it had, also when the registry forgets it; restored, the issue goes."""
    registry = er.async_get(hass)
    registry.async_remove(entity.entity_id)
    hass.states.async_remove(entity.entity_id)
    await wait(hass, site, clock, PATIENCE_S - 1)
    assert told(hass, site) == {}
    await wait(hass, site, clock, 2)
    assert told(hass, site) == {"entity_gone": "Tap T1 (sensor.demo_energy)"}
    restored = registry.async_get_or_create("sensor", "demo", "energy", config_entry=entity_owner(hass))
    show(hass, restored.entity_id, 5, "kWh")
    assert restored.id == entity.id
    await wait(hass, site, clock, 1)
    assert told(hass, site) == {}
    registry.async_remove(entity.entity_id)
    registry.deleted_entities.clear()
    await wait(hass, site, clock, PATIENCE_S)
    assert told(hass, site) == {"entity_gone": "Tap T1 (sensor.demo_energy)"}


def entity_owner(hass: HomeAssistant) -> MockConfigEntry:
    """Return the integration that provides the entity."""
    (owner,) = hass.config_entries.async_entries("demo")
    assert isinstance(owner, MockConfigEntry)
    return owner


async def test_a_disabled_entity_is_told_of(
    hass: HomeAssistant, site: MockConfigEntry, clock: FrozenDateTimeFactory, entity: er.RegistryEntry
) -> None:
    """By its own name; enabled again, the issue goes."""
    registry = er.async_get(hass)
    registry.async_update_entity(entity.entity_id, disabled_by=er.RegistryEntryDisabler.USER)
    hass.states.async_remove(entity.entity_id)
    await wait(hass, site, clock, PATIENCE_S)
    assert told(hass, site) == {"entity_disabled": "Tap T1 (sensor.demo_energy)"}
    registry.async_update_entity(entity.entity_id, disabled_by=None)
    show(hass, entity.entity_id, 5, "kWh")
    await wait(hass, site, clock, 1)
    assert told(hass, site) == {}


async def test_an_entity_whose_integration_was_removed_is_told_of(
    hass: HomeAssistant, site: MockConfigEntry, clock: FrozenDateTimeFactory, provider: MockConfigEntry
) -> None:
    """Its registry entry goes with the integration."""
    await hass.config_entries.async_remove(provider.entry_id)
    hass.states.async_remove("sensor.demo_energy")
    await wait(hass, site, clock, PATIENCE_S)
    assert told(hass, site) == {"entity_gone": "Tap T1 (sensor.demo_energy)"}


@pytest.mark.parametrize(
    ("state", "orphan"),
    [
        (ConfigEntryState.LOADED, True),
        (ConfigEntryState.SETUP_RETRY, False),
        (ConfigEntryState.SETUP_IN_PROGRESS, False),
    ],
)
async def test_an_entity_that_its_running_integration_no_longer_has_is_told_of(  # noqa: PLR0917 - fixtures
    hass: HomeAssistant,
    site: MockConfigEntry,
    clock: FrozenDateTimeFactory,
    provider: MockConfigEntry,
    state: ConfigEntryState,
    orphan: bool,
) -> None:
    """An integration that cannot start says so itself."""
    provider.mock_state(hass, state)
    show(hass, "sensor.demo_energy", "unavailable", "kWh", restored=True)
    await wait(hass, site, clock, PATIENCE_S)
    assert told(hass, site) == ({"entity_not_provided": "Tap T1 (sensor.demo_energy)"} if orphan else {})
    provider.mock_state(hass, ConfigEntryState.LOADED)


async def test_an_integration_that_is_disabled_is_told_of(
    hass: HomeAssistant, site: MockConfigEntry, clock: FrozenDateTimeFactory, provider: MockConfigEntry
) -> None:
    """Home Assistant disables its entities with it."""
    await hass.config_entries.async_set_disabled_by(provider.entry_id, ConfigEntryDisabler.USER)
    hass.states.async_remove("sensor.demo_energy")
    await wait(hass, site, clock, PATIENCE_S)
    assert told(hass, site) == {"entity_disabled": "Tap T1 (sensor.demo_energy)"}


async def test_a_unit_that_cannot_be_converted_is_told_of(
    hass: HomeAssistant, site: MockConfigEntry, clock: FrozenDateTimeFactory
) -> None:
    """One that can be is none of anybody's business."""
    show(hass, "sensor.demo_energy", 5, "m³")
    await wait(hass, site, clock, PATIENCE_S)
    assert told(hass, site) == {"entity_wrong_unit": "Tap T1 (sensor.demo_energy)"}
    show(hass, "sensor.demo_energy", 5000, "Wh")
    await wait(hass, site, clock, 1)
    assert told(hass, site) == {}


async def test_while_home_assistant_starts_nothing_is_missing_yet(
    hass: HomeAssistant, site: MockConfigEntry, clock: FrozenDateTimeFactory, entity: er.RegistryEntry
) -> None:
    """Entities are on their way."""
    hass.set_state(CoreState.starting)
    er.async_get(hass).async_remove(entity.entity_id)
    hass.states.async_remove(entity.entity_id)
    await wait(hass, site, clock, 10 * PATIENCE_S)
    assert told(hass, site) == {}
    hass.set_state(CoreState.running)
    await wait(hass, site, clock, PATIENCE_S)
    assert "entity_gone" in told(hass, site)


async def test_issues_go_with_the_tap(
    hass: HomeAssistant, site: MockConfigEntry, clock: FrozenDateTimeFactory, entity: er.RegistryEntry
) -> None:
    """A tap that is removed needs nothing mended."""
    show(hass, entity.entity_id, 5, "m³")
    await wait(hass, site, clock, PATIENCE_S)
    assert told(hass, site)
    (found,) = site.subentries.values()
    assert hass.config_entries.async_remove_subentry(site, found.subentry_id)
    await hass.async_block_till_done()
    await wait(hass, site, clock, 1)
    assert told(hass, site) == {}


async def test_entities_without_an_integration_of_their_own_are_judged_too(hass: HomeAssistant) -> None:
    """From YAML: with a registry entry they are restored when their lines are gone, without one nothing is left."""
    yaml = er.async_get(hass).async_get_or_create("sensor", "template", "energy")
    show(hass, yaml.entity_id, "unavailable", "kWh", restored=True)
    device = adopted(hass, "charger", import_entity=yaml.id, power_entity="sensor.bare", charger_state="sensor.state")
    show(hass, "sensor.state", "charging")
    assert device.faults() == (
        Fault("entity_not_provided", yaml.entity_id),
        Fault("entity_gone", "sensor.bare"),
    )
    show(hass, yaml.entity_id, 5, "kWh")
    show(hass, "sensor.bare", 5, "W")
    assert device.faults() == ()


async def test_an_entity_that_is_gone_is_searched_for_once(hass: HomeAssistant, entity: er.RegistryEntry) -> None:
    """The registry may remember thousands that were removed: 200 taps must not go through them at every poll.

    One that it forgot is told of by its slot.
    """

    class Removed(dict[tuple[str, str, str], er.DeletedRegistryEntry]):
        searches = 0

        def values(self) -> Any:
            Removed.searches += 1
            return super().values()

    registry = er.async_get(hass)
    watching = adopted(hass, import_entity=entity.id)
    assert watching.faults() == ()
    registry.async_remove(entity.entity_id)
    registry.deleted_entities = Removed(registry.deleted_entities)
    assert [watching.faults() for _ in range(3)] == [(Fault("entity_gone", entity.entity_id),)] * 3
    assert Removed.searches == 0
    begun_later = adopted(hass, import_entity=entity.id)
    assert [begun_later.faults() for _ in range(3)] == [(Fault("entity_gone", entity.entity_id),)] * 3
    assert Removed.searches == 1
    registry.deleted_entities.clear()
    assert adopted(hass, import_entity=entity.id).faults() == (Fault("entity_gone", "import_entity"),)


@pytest.mark.parametrize("state", ["unknown", "unavailable", "none", "nan"])
async def test_what_is_no_number_has_no_wrong_unit(hass: HomeAssistant, state: str) -> None:
    """A template that has nothing to say yet may lack its unit."""
    show(hass, "sensor.energy", state)
    assert adopted(hass, import_entity="sensor.energy").faults() == ()
