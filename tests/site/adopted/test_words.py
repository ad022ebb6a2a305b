"""The words of charger states: all that Home Assistant's own integrations declare, the standards', and their case."""

import json
from pathlib import Path
import re

import homeassistant.components
import pytest

from custom_components.commonwatt.devices.adopted.words import STATES, WITH_CAR, WITHOUT_CAR, charger_state, plugged

COMPONENTS = Path(homeassistant.components.__file__).parent
DECLARED = {
    "besen": "current_state",
    "blue_current": "activity",
    "greencell": "status",
    "lektrico": "state",
    "ohme": "status",
    "openevse": "status",
    "peblar": "cp_state",
    "shelly": "charger_state",
    "silla_prism": "status",
    "technove": "status",
    "tesla_wall_connector": "status",
    "tessie": "wall_connector_state",
    "tuya": "charger_status",
    "victron_gx": "evcharger_status",
}
NO_STATE = {f"reserved{number}" for number in range(15, 20)}


def declared(integration: str) -> set[str]:
    """Return the states that an integration says its entity has."""
    texts = json.loads((COMPONENTS / integration / "strings.json").read_bytes())
    return set(texts["entity"]["sensor"][DECLARED[integration]]["state"])


@pytest.mark.parametrize("integration", DECLARED)
def test_every_state_an_integration_declares_is_understood(integration: str) -> None:
    """A new version of Home Assistant that declares another fails here."""
    unknown = {word for word in declared(integration) - NO_STATE if charger_state(word, integration) is None}
    assert unknown == set()


def test_every_state_of_wallbox_is_understood() -> None:
    """It says them in sentences."""
    text = (COMPONENTS / "wallbox" / "const.py").read_text()
    said = set(re.findall(r'= "(.+)"', text.partition("class ChargerStatus")[2].partition("class ")[0]))
    assert len(said) > 15
    assert {word for word in said if charger_state(word, "wallbox") is None} == {"Unknown"}


@pytest.mark.parametrize(
    ("said", "state", "with_car"),
    [
        ("Available", "available", False),
        ("Preparing", "plugged", True),
        ("Charging", "charging", True),
        ("SuspendedEV", "paused", True),
        ("SuspendedEVSE", "paused", True),
        ("Finishing", "paused", True),
        ("Reserved", "reserved", None),
        ("Unavailable", "out_of_service", None),
        ("Faulted", "fault", None),
        ("Occupied", "plugged", True),
        ("A", "available", False),
        ("B2", "plugged", True),
        ("C", "charging", True),
        ("D", "charging", True),
        ("E", "fault", None),
        ("F", "fault", None),
        ("awaiting_start", "plugged", True),
        ("Connected_Charging", "charging", True),
        ("Connected_Finished", "paused", True),
        ("WaitCar", "plugged", True),
        ("Discharging", "discharging", True),
        ("dancing", None, None),
    ],
)
def test_the_standards_and_makers_words_are_understood(said: str, state: str | None, with_car: bool | None) -> None:
    """OCPP, IEC 61851, Easee, Zaptec and go-e."""
    found = charger_state(said)
    assert found == state
    assert (None if found is None else plugged(found)) == with_car


def test_no_word_means_two_things() -> None:
    """And every state that can be said has a word."""
    assert set(STATES.values()) >= WITH_CAR | WITHOUT_CAR | {"reserved", "out_of_service", "fault"}
    assert "ready" not in STATES
    assert charger_state("ready") is None
