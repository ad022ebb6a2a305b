"""Words: everything a person can meet has its text in English and in Japanese, and every entity its name and icon."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
import json
from pathlib import Path
import pkgutil
import re
from typing import Any, get_args

from homeassistant.components.sensor.const import DEVICE_CLASS_UNITS, SensorDeviceClass
from homeassistant.const import EntityCategory, Platform
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir
import pytest

from custom_components import commonwatt
from custom_components.commonwatt.attention import METER_EXCHANGED
from custom_components.commonwatt.const import DOMAIN, INTERVAL_CHOICES
from custom_components.commonwatt.issues import IssueKey
from custom_components.commonwatt.transfers import TRANSFER_TAP

from .words import Words

ROOT = Path(__file__).parents[2] / "custom_components" / "commonwatt"
# what tells how measuring itself fares, and is of no use in an automation about energy
OF_THE_MACHINE = {
    "cloud_link",
    "quality",
    "outbox_depth",
    "last_closed_interval",
    "last_settled_interval",
    "clock_offset",
}
# a share, and a wish; neither is the charge of a battery, for which alone Home Assistant has a class in percent
SHARES = {"local_share_today", "charge_needed"}
MAIN_JOB = {"power", "import_energy", "export_energy", "net_energy", "balance", "cost_today", "breaker", "supply"}
# what only somebody looks at who wants to know it all
FOR_FEW = {"clock_offset", "credit_reserve", "frequency", "power_factor", "reactive_power", "voltage_l1", "current_l2"}

# constants of Home Assistant that dialogues name their fields by
OF_HOME_ASSISTANT = {"url", "code", "name", "host", "port", "device", "device_id", "mode"}


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
ICONS = json.loads((ROOT / "icons.json").read_text())


def descriptions() -> list[tuple[str, Any]]:
    """Return every entity that is described in a module of the shell, with its platform."""
    modules = [import_module(f"{commonwatt.__name__}.{found.name}") for found in pkgutil.iter_modules([str(ROOT)])]
    found = {id(one): one for module in modules for one in _described(vars(module).values())}
    return [(_platform(one), one) for one in found.values()]


def _described(values: Iterable[object]) -> Iterator[object]:
    for value in values:
        # Home Assistant makes plain ones of a class beside the one they are called by
        if not isinstance(value, type) and any(base.__name__ == "EntityDescription" for base in type(value).__mro__):
            yield value
        elif isinstance(value, (tuple, list)):
            yield from _described(value)
        elif isinstance(value, dict):
            yield from _described(value.values())


def _platform(description: object) -> str:
    """Return the platform whose description this is."""
    names = {base.__name__.removesuffix("EntityDescription") for base in type(description).__mro__}
    [platform] = {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower() for name in names} & set(Platform)
    return str(platform)


DESCRIBED = descriptions()
SENSORS = [one for platform, one in DESCRIBED if platform == Platform.SENSOR]


def test_both_languages_say_the_same_things() -> None:
    """Every key is in both, with the same words to fill in, and no text is empty or left in the other language."""
    english, japanese = dict(leaves(EN)), dict(leaves(JA))
    assert english.keys() == japanese.keys()
    for path, text in english.items():
        assert text.strip()
        assert japanese[path].strip()
        assert sorted(re.findall(r"{\w+}", text)) == sorted(re.findall(r"{\w+}", japanese[path])), path
    same = {path for path, text in english.items() if japanese[path] == text and re.search(r"[a-z]{3}", text)}
    assert same == {".title"}


def test_no_text_holds_an_address() -> None:
    """Addresses change, so they are filled in."""
    assert [path for tree in (EN, JA) for path, text in leaves(tree) if "://" in text] == []


def test_the_tables_are_found() -> None:
    """Whatever holds for every entity below holds for those of every platform."""
    assert {platform for platform, _ in DESCRIBED} == {platform.value for platform in commonwatt.PLATFORMS}


def test_every_entity_has_a_name_and_an_icon() -> None:
    """Of its own, or those of its device class; also every state of an enum; and nothing else is named."""
    named: dict[str, set[str]] = {}
    for platform, one in DESCRIBED:
        if one.translation_key is None:
            assert one.device_class is not None, one.key
            continue
        named.setdefault(platform, set()).add(one.translation_key)
        words, icon = EN["entity"][platform][one.translation_key], ICONS["entity"].get(platform, {})
        assert words["name"], one.key
        assert one.device_class is not None or one.translation_key in icon, one.key
        if platform == Platform.SENSOR and one.device_class is SensorDeviceClass.ENUM:
            assert words["state"].keys() == set(one.options or ()), one.key
        if platform == Platform.EVENT:
            assert words["state_attributes"]["event_type"]["state"].keys() == set(one.event_types or ()), one.key
    assert {platform: set(words) for platform, words in EN["entity"].items()} == named


def test_what_has_no_unit_of_physics_has_one_in_words() -> None:
    """Points are counted in points in every language."""
    in_words = {key for key, words in EN["entity"]["sensor"].items() if "unit_of_measurement" in words}
    described = {one.translation_key: one for one in SENSORS if one.translation_key is not None}
    assert {"balance", "cost_today_points", "outbox_depth"} <= in_words
    assert [key for key in in_words if described[key].native_unit_of_measurement is not None] == []


def test_what_tells_of_the_machine_and_not_of_the_house_is_diagnostic() -> None:
    """A dashboard made by itself shows what matters to a household."""
    assert {one.key for _, one in DESCRIBED if one.entity_category is EntityCategory.DIAGNOSTIC} >= OF_THE_MACHINE
    assert {one.key for _, one in DESCRIBED if one.entity_category is None} >= MAIN_JOB


def test_what_home_assistant_has_a_class_for_has_that_class() -> None:
    """Then it is shown in the unit a person prefers, and the Energy dashboard takes it."""
    for one in SENSORS:
        unit = one.native_unit_of_measurement
        fitting = {found for found, units in DEVICE_CLASS_UNITS.items() if unit is not None and unit in units}
        if fitting and one.key not in SHARES:
            assert one.device_class in fitting, one.key
    for platform, one in DESCRIBED:
        if platform == Platform.NUMBER and one.native_unit_of_measurement is not None and one.key not in SHARES:
            assert one.device_class is not None, one.key


def test_what_few_people_look_at_is_disabled_at_first() -> None:
    """And of what is disabled nothing belongs to the main job."""
    assert {one.key for _, one in DESCRIBED if one.entity_registry_enabled_default} >= MAIN_JOB
    assert {one.key for _, one in DESCRIBED} >= FOR_FEW
    assert FOR_FEW & {one.key for _, one in DESCRIBED if one.entity_registry_enabled_default} == set()


def test_every_issue_has_its_words() -> None:
    """And no words are left of an issue that is not raised any more."""
    told = EN["issues"].keys()
    assert told >= {*get_args(IssueKey.__value__), METER_EXCHANGED, TRANSFER_TAP}
    assert told - constants(shell()) == set()


def shell() -> list[ast.Module]:
    """Return the modules of the shell."""
    paths = [*ROOT.glob("*.py"), *(ROOT / "flows").glob("*.py")]
    return [ast.parse(path.read_text()) for path in paths]


def constants(modules: Iterable[ast.Module]) -> set[str]:
    """Return every text constant of some modules."""
    return {
        node.value
        for module in modules
        for node in ast.walk(module)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def dialogues() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the words of every dialogue."""
    yield "config", EN["config"]
    yield from EN["config_subentries"].items()
    for key, issue in EN["issues"].items():
        if "fix_flow" in issue:
            yield key, issue["fix_flow"]


def test_every_error_of_a_dialogue_is_one_it_can_show() -> None:
    """No error text is without a use."""
    used = constants(shell())
    shown = {key for _, words in dialogues() for part in ("error", "abort") for key in words.get(part, {})}
    assert shown - used == set()


def test_every_step_with_words_is_taken() -> None:
    """No words are left of a step that is gone; a repair is confirmed, or says at last what was done."""
    steps = {node.name for module in shell() for node in ast.walk(module) if isinstance(node, ast.AsyncFunctionDef)}
    told = {step for _, words in dialogues() for step in words["step"]}
    assert {step for step in told if f"async_step_{step}" not in steps} <= {"transferred", "confirm"}


def fields_of(step: Mapping[str, Any]) -> Iterator[str]:
    """Yield the fields a step's texts name, those of its sections too; each has a name and a description."""
    for part in (step, *step.get("sections", {}).values()):
        assert part.get("data", {}).keys() == part.get("data_description", {}).keys()
        yield from part.get("data", {})


def test_every_field_with_words_is_asked() -> None:
    """No words are left of a field that is gone; that each one asked has words is heard in every test of a dialogue."""
    asked = constants(ast.parse(path.read_text()) for path in ROOT.rglob("*.py")) | OF_HOME_ASSISTANT
    told = {field for _, words in dialogues() for step in words["step"].values() for field in fields_of(step)}
    assert told - asked == set()


def test_every_choice_has_its_words() -> None:
    """Menus lead to steps with words, and selects offer what has words."""
    assert EN["config"]["step"]["user"]["menu_options"].keys() == {"pair", "local"}
    assert EN["config"]["step"]["reconfigure"]["menu_options"].keys() == {"pair", "local"}
    for kind, words in EN["config_subentries"].items():
        for step in words["step"].values():
            assert step.get("menu_options", {}).keys() <= words["step"].keys(), kind
        assert set(words["initiate_flow"]) == {"user", "reconfigure"}
    assert EN["selector"]["interval"]["options"].keys() == {str(seconds) for seconds in INTERVAL_CHOICES}
    assert EN["selector"]["upstream"]["options"].keys() == {"grid", "island"}


def test_what_was_said_without_words_is_heard(hass: HomeAssistant, said: Words) -> None:
    """The listener that every test of the site has can fail: each kind of word that is missing is named."""
    ir.async_create_issue(hass, DOMAIN, "1", is_fixable=False, severity=ir.IssueSeverity.ERROR, translation_key="ghost")
    ir.async_create_issue(
        hass, DOMAIN, "2", is_fixable=False, severity=ir.IssueSeverity.ERROR, translation_key="cut_off"
    )
    HomeAssistantError(translation_domain=DOMAIN, translation_key="ghost")
    HomeAssistantError(translation_domain=DOMAIN, translation_key="outbox_failed", translation_placeholders={"x": "y"})
    assert said.wrong == [
        "issues.ghost",
        "issues.cut_off.description: nothing fills {owners}",
        "exceptions.ghost.message",
        "exceptions.outbox_failed.message: nothing fills {error}",
    ]
    said.wrong.clear()


USER = "config.step.user"
PAIR = "config.step.pair"


@pytest.mark.parametrize(
    ("path", "heard"),
    [
        (("step", "user"), [USER, f"{USER}.menu_options.pair", f"{USER}.menu_options.local"]),
        (("step", "pair", "data", "code"), [f"{PAIR}.data.code"]),
        (("step", "pair", "data_description", "code"), [f"{PAIR}.data_description.code"]),
        (("error", "invalid_url"), ["config.error.invalid_url"]),
    ],
)
async def test_a_dialogue_without_words_is_heard(
    hass: HomeAssistant, said: Words, site_texts: dict[str, Any], path: tuple[str, ...], heard: list[str]
) -> None:
    """A step, a field or an error whose text is gone is named."""
    *parents, key = path
    words = site_texts["config"]
    for parent in parents:
        words = words[parent]
    kept = words.pop(key)
    begun = await hass.config_entries.flow.async_init(DOMAIN, context={"source": "user"})
    shown = await hass.config_entries.flow.async_configure(begun["flow_id"], {"next_step_id": "pair"})
    form = {"url": "no address", "code": "ABCD-EFGH-JKLM-NPQR", "name": "Home"}
    await hass.config_entries.flow.async_configure(shown["flow_id"], form)
    words[key] = kept
    assert said.wrong[: len(heard)] == heard
    said.wrong.clear()
