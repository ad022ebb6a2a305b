"""Words: everything a person can meet has its text in English and in Japanese, and every entity its icon."""

import ast
from collections.abc import Iterator, Mapping
import json
from pathlib import Path
import re
from typing import Any, get_args

import pytest

from custom_components.commonwatt.binary_sensor import CLOUD_LINK, CUT_OFF
from custom_components.commonwatt.const import INTERVAL_CHOICES
from custom_components.commonwatt.event import SUPPLY
from custom_components.commonwatt.flows import schemas
from custom_components.commonwatt.issues import IssueKey
from custom_components.commonwatt.sensor import (
    CLOUD_SENSORS,
    COST_IN_CURRENCY,
    COST_IN_POINTS,
    CREDIT_RESERVE,
    OWNER_SENSORS,
    PRICES_IN_CURRENCY,
    PRICES_IN_POINTS,
    REGISTERS,
    SITE_SENSORS,
    SITE_WITH_CLOUD_SENSORS,
    TAP_SENSORS,
)
from custom_components.commonwatt.switch import BREAKER
from custom_components.commonwatt.transfers import TRANSFER_TAP
from custom_components.commonwatt.wire import Quality

ROOT = Path(__file__).parents[2] / "custom_components" / "commonwatt"
SENSORS = (
    *TAP_SENSORS,
    *REGISTERS,
    *OWNER_SENSORS,
    *SITE_SENSORS,
    *SITE_WITH_CLOUD_SENSORS,
    *CLOUD_SENSORS,
    COST_IN_CURRENCY,
    COST_IN_POINTS,
    CREDIT_RESERVE,
    *PRICES_IN_CURRENCY,
    *PRICES_IN_POINTS,
)


def texts(language: str) -> dict[str, Any]:
    """Return a language's file."""
    read: dict[str, Any] = json.loads((ROOT / "translations" / f"{language}.json").read_text())
    return read


def leaves(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text with its path."""
    for key, member in tree.items():
        if isinstance(member, dict):
            yield from leaves(member, f"{path}.{key}")
        else:
            yield f"{path}.{key}", member


EN, JA = texts("en"), texts("ja")


def test_both_languages_say_the_same_things() -> None:
    """Every key is in both, with the same words to fill in, and no text is empty or left in the other language."""
    english, japanese = dict(leaves(EN)), dict(leaves(JA))
    assert english.keys() == japanese.keys()
    for path, text in english.items():
        assert text.strip()
        assert japanese[path].strip()
        assert sorted(re.findall(r"{\w+}", text)) == sorted(re.findall(r"{\w+}", japanese[path])), path
    same = {path for path, text in english.items() if japanese[path] == text}
    assert same == {".title"}


def test_no_text_holds_an_address() -> None:
    """Addresses change, so they are filled in."""
    assert [path for tree in (EN, JA) for path, text in leaves(tree) if "://" in text] == []


def test_every_sensor_has_a_name_and_an_icon() -> None:
    """Also every state of an enum, and the unit of what has no physical one; nothing else is named."""
    icons = json.loads((ROOT / "icons.json").read_text())["entity"]
    keys = {description.translation_key for description in SENSORS}
    assert EN["entity"]["sensor"].keys() == icons["sensor"].keys() == keys
    binary = {CLOUD_LINK.translation_key, CUT_OFF.translation_key}
    assert EN["entity"]["binary_sensor"].keys() == icons["binary_sensor"].keys() == binary
    assert EN["entity"]["switch"].keys() == icons["switch"].keys() == {BREAKER.translation_key}
    assert EN["entity"]["event"].keys() == icons["event"].keys() == {SUPPLY.translation_key}
    happenings = EN["entity"]["event"]["supply"]["state_attributes"]["event_type"]["state"]
    assert happenings.keys() == set(SUPPLY.event_types or ())
    assert EN["entity"]["sensor"]["quality"]["state"].keys() == set(get_args(Quality.__value__))
    assert icons["sensor"]["quality"]["state"].keys() <= set(get_args(Quality.__value__))
    without_unit = {key for key, words in EN["entity"]["sensor"].items() if "unit_of_measurement" in words}
    in_points = {description.translation_key for description in PRICES_IN_POINTS}
    assert without_unit == {"balance", "cost_today_points", "outbox_depth", *in_points}


def test_every_issue_has_its_words() -> None:
    """And no words are left of an issue that is not raised any more."""
    assert EN["issues"].keys() == {*get_args(IssueKey.__value__), TRANSFER_TAP}


def calls(name: str) -> Iterator[ast.Call]:
    """Yield every call of the integration's shell to something of this name."""
    for path in [*ROOT.glob("*.py"), *(ROOT / "flows").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
                if called == name:
                    yield node


def test_every_exception_has_its_words() -> None:
    """Whatever is raised with a translation key says something, and nothing else is translated."""
    raised = {
        keyword.value.value
        for name in (
            "ConfigEntryError",
            "ConfigEntryNotReady",
            "ConfigEntryAuthFailed",
            "UpdateFailed",
            "HomeAssistantError",
            "ServiceValidationError",
        )
        for call in calls(name)
        for keyword in call.keywords
        if keyword.arg == "translation_key" and isinstance(keyword.value, ast.Constant)
    }
    assert EN["exceptions"].keys() == raised


def constants(path: Path) -> set[str]:
    """Return every text constant of a file."""
    return {
        node.value
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_every_error_of_a_dialogue_is_one_it_can_show() -> None:
    """No error text is without a use."""
    used = {text for path in [ROOT / "config_flow.py", *(ROOT / "flows").glob("*.py")] for text in constants(path)}
    shown = {*EN["config"]["error"], *EN["config"]["abort"]}
    for kind in EN["config_subentries"].values():
        shown |= {*kind["error"], *kind["abort"]}
    assert shown - used == {"already_configured"} - used


def fields_of(step: Mapping[str, Any]) -> set[str]:
    """Return the fields a step's texts name, those of its sections too."""
    assert step["data"].keys() == step["data_description"].keys()
    fields = set(step["data"])
    for section in step.get("sections", {}).values():
        assert section["data"].keys() == section["data_description"].keys()
        fields |= set(section["data"])
    return fields


@pytest.mark.parametrize(
    ("step", "fields"),
    [
        (EN["config"]["step"]["pair"], schemas.pairing("")),
        (EN["config"]["step"]["local"], schemas.without_cloud("")),
        (EN["config"]["step"]["reauth_confirm"], schemas.CODE),
        (EN["config"]["step"]["reconfigure"], schemas.CLOUD_URL),
        *(
            (EN["config_subentries"][kind]["step"][step], schema)
            for kind, upstream in (("meter", None), ("tap", {}))
            for step, schema in (
                ("entities", schemas.ENTITIES),
                ("modbus", schemas.modbus([])),
                ("details", schemas.details({}, "", new_owners=True, upstream=upstream)),
                ("transfer", schemas.transfer({}, first=False)),
                ("first_passcode", schemas.transfer({}, first=True)),
            )
        ),
    ],
)
def test_every_field_has_a_name_and_a_description(step: Mapping[str, Any], fields: Any) -> None:
    """What a form asks is said in words, and no words are left of a field that is gone."""
    names = set()
    for field, selector in fields.schema.items():
        inner = getattr(selector, "schema", None)
        names |= {str(name) for name in inner.schema} if inner is not None else {str(field)}
    assert fields_of(step) == names


def test_every_choice_has_its_words() -> None:
    """Menus and selects."""
    assert EN["config"]["step"]["user"]["menu_options"].keys() == {"pair", "local"}
    assert EN["config"]["step"]["reconfigure"]["menu_options"].keys() == {"pair", "local"}
    for kind in EN["config_subentries"].values():
        assert kind["step"]["user"]["menu_options"].keys() == {"entities", "modbus"}
        assert kind["step"]["reconfigure"]["menu_options"].keys() == {"details", "entities", "modbus", "transfer"}
        assert set(kind["initiate_flow"]) == {"user", "reconfigure"}
    assert EN["selector"]["interval"]["options"].keys() == {str(seconds) for seconds in INTERVAL_CHOICES}
    assert EN["selector"]["upstream"]["options"].keys() == {"grid", "island"}
