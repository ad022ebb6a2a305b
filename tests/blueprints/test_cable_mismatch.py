"""The blueprint about a V2G cable tells what happened in words an owner would use, once, and nothing else."""

from pathlib import Path
import shutil
from typing import Any

from homeassistant.components.automation.config import AUTOMATION_BLUEPRINT_SCHEMA
from homeassistant.components.automation.const import DOMAIN
from homeassistant.components.blueprint.models import Blueprint
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import load_yaml_dict
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_mock_service

FILE = Path(__file__).parents[2] / "blueprints" / "automation" / "commonwatt" / "cable_mismatch.yaml"
MISMATCH = {
    "event_type": "mismatch",
    "energy_wh": -1500,
    "meter_wh": 2000,
    "expected_wh": 500,
    "difference_wh": 1500,
    "tolerance_wh": 150,
}
DENIED = {"event_type": "permission_changed", "permission": "denied", "before": "allowed", "cause": "two_places"}
ALLOWED = {"event_type": "permission_changed", "permission": "allowed", "before": "denied", "cause": "none"}


@pytest.fixture
def hass_config_dir(tmp_path: Path) -> str:
    """Give Home Assistant a configuration folder with the blueprint in it."""
    folder = tmp_path / "blueprints" / "automation" / "commonwatt"
    folder.mkdir(parents=True)
    shutil.copy(FILE, folder)
    return str(tmp_path)


@pytest.fixture
def visit(hass: HomeAssistant) -> str:
    """Return the event entity of Dora's cable, which has told nothing yet."""
    entry = MockConfigEntry(domain="commonwatt")
    entry.add_to_hass(hass)
    device = dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id, identifiers={("commonwatt", "cable")}, name="Dora's cable"
    )
    entity = er.async_get(hass).async_get_or_create("event", "commonwatt", "visit", device_id=device.id)
    hass.states.async_set(entity.entity_id, "unknown")
    return entity.entity_id


async def told(hass: HomeAssistant, visit: str, **inputs: Any) -> list[ServiceCall]:
    """Let the automation run with a phone to notify; return what it is told."""
    calls: list[ServiceCall] = async_mock_service(hass, "notify", "phone")
    tell = [{"action": "notify.phone", "data": {"title": "{{ title }}", "message": "{{ message }}"}}]
    wanted = {"visits": [visit], "tell": tell} | inputs
    config = {"use_blueprint": {"path": "commonwatt/cable_mismatch.yaml", "input": wanted}}
    assert await async_setup_component(hass, DOMAIN, {DOMAIN: config})
    await hass.async_block_till_done()
    assert hass.states.async_entity_ids("automation"), "the blueprint was not taken"
    return calls


async def happens(hass: HomeAssistant, visit: str, at: str, about: dict[str, Any]) -> None:
    """Let something happen at the cable."""
    hass.states.async_set(visit, f"2026-11-21T05:{at}:00.000+00:00", about)
    await hass.async_block_till_done()


def test_home_assistant_takes_the_blueprint() -> None:
    """Every input it uses is declared, and nothing in it is unknown."""
    blueprint = Blueprint(
        load_yaml_dict(str(FILE)), expected_domain="automation", path=FILE.name, schema=AUTOMATION_BLUEPRINT_SCHEMA
    )
    assert blueprint.validate() is None
    assert set(blueprint.inputs) == {"visits", "permission_too", "tell"}


async def test_a_mismatch_is_told_with_its_numbers(hass: HomeAssistant, visit: str) -> None:
    """What the cable moved, what the meter should have shown and what it showed."""
    calls = await told(hass, visit)
    await happens(hass, visit, "01", MISMATCH)
    [call] = calls
    assert call.data["title"] == "The meter disagrees with Dora's cable"
    assert "should have shown 500 Wh and showed 2000 Wh, 1500 Wh apart" in call.data["message"]


async def test_a_permission_is_told_with_its_cause(hass: HomeAssistant, visit: str) -> None:
    """And that it is over."""
    calls = await told(hass, visit)
    await happens(hass, visit, "01", DENIED)
    await happens(hass, visit, "02", ALLOWED)
    lost = {"permission": "charge_only", "before": "allowed", "cause": "unreachable"}
    await happens(hass, visit, "03", ALLOWED | lost)
    assert [call.data["title"] for call in calls] == [
        "Dora's cable: V2G is denied",
        "Dora's cable: V2G is allowed again",
        "Dora's cable: charging only",
    ]
    assert calls[0].data["message"] == "The cause: two places. Settings, Repairs says what to do."
    assert calls[1].data["message"] == "There is nothing to be done."
    assert "out of reach" in calls[2].data["message"]
    assert "Repairs" not in calls[2].data["message"], "there is no repair for it"


async def test_nothing_else_is_told(hass: HomeAssistant, visit: str) -> None:
    """Nobody wants to hear of a plug, of a doubt, or at a start of what was long before."""
    calls = await told(hass, visit, permission_too=False)
    await happens(hass, visit, "01", {"event_type": "plugged_in"})
    await happens(hass, visit, "02", {"event_type": "suspect"})
    await happens(hass, visit, "03", DENIED)
    hass.states.async_set(visit, "unavailable")
    await happens(hass, visit, "00", MISMATCH)
    hass.states.async_remove(visit)
    await happens(hass, visit, "00", MISMATCH)
    assert calls == []


async def test_without_a_choice_the_message_appears_in_home_assistant(hass: HomeAssistant, visit: str) -> None:
    """Nobody has to set anything but the cable."""
    calls = async_mock_service(hass, "persistent_notification", "create")
    config = {"use_blueprint": {"path": "commonwatt/cable_mismatch.yaml", "input": {"visits": [visit]}}}
    assert await async_setup_component(hass, DOMAIN, {DOMAIN: config})
    await hass.async_block_till_done()
    await happens(hass, visit, "01", MISMATCH)
    assert [call.data["title"] for call in calls] == ["The meter disagrees with Dora's cable"]
