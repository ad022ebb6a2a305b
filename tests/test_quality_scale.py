"""The quality scale is a claim of our own, so each of its rules has a witness: a check, tests by name, or a page."""

import ast
from collections.abc import Callable
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
import json
from pathlib import Path
import re
import shutil
import tomllib
from types import ModuleType

import pytest
import yaml

from .checks import brand, code, habits, icons, manifest, scale, texts
from .checks.reading import read_yaml

ROOT = Path(__file__).parent.parent
SITE = ROOT / "custom_components" / "commonwatt"
PAGES = "docs/site/"


@dataclass(frozen=True)
class Held:
    """What holds a rule: checks of the code, tests by name (file::test), pages with the headings they must have."""

    checks: tuple[code.Check, ...] = ()
    tests: tuple[str, ...] = ()
    pages: tuple[tuple[str, str], ...] = ()


def witnesses(file: str, *names: str) -> tuple[str, ...]:
    """Return tests of the site by name."""
    return tuple(f"tests/site/{file}.py::{name}" for name in names)


def page(name: str, *headings: str) -> Held:
    """Return a page of the site's documentation and what it must speak of."""
    return Held(pages=tuple((f"{PAGES}{name}.md", heading) for heading in headings))


def mypy_is_strict(_folder: Path) -> list[str]:
    """Types are checked strictly, and no module of the integration is left out."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]
    wrong = [] if config["strict"] else ["pyproject.toml: mypy is not strict"]
    wrong += [] if "custom_components/commonwatt" in config["files"] else ["pyproject.toml: mypy leaves us out"]
    return wrong + [
        f"pyproject.toml: mypy is lax with {override['module']}"
        for override in config.get("overrides", [])
        if any("commonwatt" in module for module in override["module"])
    ]


def no_library_of_unknown_making(folder: Path) -> list[str]:
    """Nothing is installed that was not built in the open: the integration asks for nothing at all."""
    asked = json.loads((folder / "manifest.json").read_text())["requirements"]
    return [f"manifest.json: {name}: where is it built?" for name in asked]


def measuring() -> ModuleType:
    """Return the command that measures coverage, as a module."""
    loader = SourceFileLoader("coverage_command", str(ROOT / "scripts" / "coverage"))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def somebody_cares(folder: Path) -> list[str]:
    """Somebody is named who looks after the integration."""
    return [] if json.loads((folder / "manifest.json").read_text())["codeowners"] else ["manifest.json: no codeowners"]


def coverage_is_measured(_folder: Path) -> list[str]:
    """Coverage is measured against what the rules ask for, on every change."""
    command = measuring()
    wanted = {"sensor.py": 95, "link/outbox.py": 95, "config_flow.py": 100, "flows/tap.py": 100}
    wrong = [
        f"scripts/coverage: {module} needs {least} %"
        for module, least in wanted.items()
        if command.least(module) < least
    ]
    workflow = (ROOT / ".github" / "workflows" / "test.yml").read_text()
    return wrong + ([] if "scripts/coverage" in workflow else ["test.yml: scripts/coverage does not run"])


HELD: dict[str, Held] = {
    "action-setup": Held((code.action_setup,)),
    "appropriate-polling": Held((code.polling,)),
    "brands": Held((brand.complaints,)),
    "common-modules": Held((code.common_modules,)),
    "config-flow": Held((code.dialogues, code.subentry_dialogues)),
    "config-flow-test-coverage": Held((coverage_is_measured,)),
    "dependency-transparency": Held((no_library_of_unknown_making,)),
    "docs-actions": page(
        "actions",
        "commonwatt.transfer_tap",
        "commonwatt.verify_statement",
        "commonwatt.spread_gap",
        "commonwatt.report_stolen",
    ),
    "docs-high-level-description": page("description", "What it is for"),
    "docs-installation-instructions": page("installation", "Install"),
    "docs-removal-instructions": page("removal", "Remove a tap", "Remove the integration"),
    "entity-event-setup": Held((code.listening,)),
    "entity-unique-id": Held((code.entity_bases,)),
    "has-entity-name": Held((code.entity_bases,)),
    "runtime-data": Held((code.runtime_data,)),
    "test-before-configure": Held(
        tests=(
            *witnesses("test_flow_site", "test_an_unreachable_cloud_is_named"),
            *witnesses("test_flow_tap", "test_a_device_that_cannot_be_used_is_refused_in_words"),
        )
    ),
    "test-before-setup": Held(
        (code.setup_tested,),
        (
            *witnesses("test_entry", "test_a_site_that_cannot_store_waits_and_says_so"),
            *witnesses("test_cloud", "test_a_lost_key_is_told_and_never_replaced"),
        ),
    ),
    "unique-config-entry": Held(
        (code.dialogues,),
        (
            *witnesses("test_flow_site", "test_the_same_site_is_not_added_twice"),
            *witnesses("test_flow_change", "test_a_site_is_not_paired_twice"),
        ),
    ),
    "action-exceptions": Held(
        (habits.exceptions,),
        (
            *witnesses("test_transfer", "test_the_action_refuses_what_is_no_tap"),
            *witnesses("test_verification", "test_what_cannot_be_verified_is_refused_in_words"),
        ),
    ),
    "config-entry-unloading": Held((code.unloading,), witnesses("test_entry", "test_unloading_gives_the_outbox_free")),
    "docs-configuration-parameters": page("configuration", "Change the site", "Options of the site", "Change a tap"),
    "docs-installation-parameters": page("installation", "What is asked"),
    "entity-unavailable": Held(
        tests=witnesses("test_modbus", "test_a_silent_meter_is_unavailable_told_once_and_comes_back")
    ),
    "integration-owner": Held((somebody_cares,)),
    "log-when-unavailable": Held(
        tests=witnesses("test_modbus", "test_a_silent_meter_is_unavailable_told_once_and_comes_back")
    ),
    "parallel-updates": Held((code.parallel_updates,)),
    "reauthentication-flow": Held(
        (code.dialogues,), witnesses("test_flow_change", "test_a_cloud_that_forgot_the_site_leads_to_pairing_again")
    ),
    "test-coverage": Held((coverage_is_measured,)),
    "devices": Held((code.devices,), witnesses("test_entry", "test_a_modbus_tap_tells_what_it_is")),
    "diagnostics": Held(
        (code.diagnostics,), witnesses("test_diagnostics", "test_diagnostics_hold_no_secret_and_no_private_word")
    ),
    "discovery": Held(
        (code.discovery,), witnesses("test_flow_discovery", "test_a_cable_that_announces_itself_is_added")
    ),
    "discovery-update-info": Held(
        tests=witnesses(
            "test_flow_discovery",
            "test_a_device_that_moved_is_read_where_it_is_now",
            "test_a_device_that_still_answers_where_it_was_has_not_moved",
        )
    ),
    "docs-data-update": page("data-update", "How often", "When something is silent"),
    "docs-examples": page("examples", "Automations", "Triggers and conditions"),
    "docs-known-limitations": page("limitations", "Known limits"),
    "docs-supported-devices": page("devices", "Register maps", "What is not supported"),
    "docs-supported-functions": page("functions", "What you see"),
    "docs-troubleshooting": page("troubleshooting", "What you see and what to do", "Diagnostics", "System health"),
    "docs-use-cases": page("use-cases", "Use cases"),
    "dynamic-devices": Held(tests=witnesses("test_pump", "test_adding_a_tap_costs_no_read")),
    "entity-category": Held(
        tests=witnesses("test_translations", "test_what_tells_of_the_machine_and_not_of_the_house_is_diagnostic")
    ),
    "entity-device-class": Held(
        tests=witnesses("test_translations", "test_what_home_assistant_has_a_class_for_has_that_class")
    ),
    "entity-disabled-by-default": Held(
        tests=witnesses("test_translations", "test_what_few_people_look_at_is_disabled_at_first")
    ),
    "entity-translations": Held(
        (texts.complaints,), witnesses("test_translations", "test_every_entity_has_a_name_and_an_icon")
    ),
    "exception-translations": Held((habits.exceptions,)),
    "icon-translations": Held(
        (icons.complaints,), witnesses("test_translations", "test_every_entity_has_a_name_and_an_icon")
    ),
    "reconfiguration-flow": Held(
        (code.dialogues, code.subentry_dialogues), witnesses("test_flow_change", "test_a_cloud_may_move")
    ),
    "repair-issues": Held(tests=witnesses("test_translations", "test_every_issue_has_its_words")),
    "stale-devices": Held(
        (code.devices,),
        witnesses(
            "test_entry",
            "test_a_removed_tap_takes_its_device_and_its_owner_along",
            "test_only_devices_that_are_gone_may_be_deleted",
        ),
    ),
    "async-dependency": Held((habits.blocking,)),
    "inject-websession": Held((habits.sessions,)),
    "strict-typing": Held((mypy_is_strict, code.runtime_data)),
}
DONE = [rule for rule, status in scale.statuses(SITE).items() if status == "done"]
MAY_BE_EXEMPT = {"docs-triggers", "docs-conditions"}  # while we have none of our own


def test_every_rule_is_kept_or_rightly_exempt() -> None:
    """All 54 rules; an exemption only where the rule itself allows it."""
    kept = scale.statuses(SITE)
    assert len(kept) == 54
    assert {rule for rule, status in kept.items() if status == "exempt"} == MAY_BE_EXEMPT
    assert all(len(read_yaml(SITE / "quality_scale.yaml")["rules"][rule]["comment"]) > 40 for rule in MAY_BE_EXEMPT)
    assert not (SITE / "trigger.py").exists()
    assert not (SITE / "condition.py").exists()


def test_every_rule_that_is_done_has_a_witness() -> None:
    """None is claimed on our word alone, and none is held that is not claimed."""
    assert HELD.keys() == set(DONE)
    assert all(held.checks or held.tests or held.pages for held in HELD.values())


@pytest.mark.parametrize("rule", DONE)
def test_rule_is_kept(rule: str) -> None:
    """Its checks have nothing to say, its tests are there, and its pages speak of what they must."""
    held = HELD[rule]
    found = [complaint for check in held.checks for complaint in check(SITE)]
    found += [f"{name} is gone" for name in held.tests if not is_test(name)]
    found += [f"{name}: no heading '{heading}'" for name, heading in held.pages if heading not in headings(name)]
    assert found == []


def is_test(name: str) -> bool:
    """Tell whether a test of this name is there."""
    file, test = name.split("::")
    path = ROOT / file
    return path.is_file() and any(function.name == test for function in code.functions(ast.parse(path.read_text())))


def headings(name: str) -> set[str]:
    """Return the headings of a page, code marks left out."""
    path = ROOT / name
    if not path.is_file():
        return set()
    return {found.replace("`", "") for found in re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Copy the integration, to be broken."""
    folder = tmp_path / "commonwatt"
    shutil.copytree(SITE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def replaced(name: str, old: str, new: str) -> Callable[[Path], object]:
    """Return what changes a file of an integration; what is to be replaced must be there."""

    def change(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text, old
        (folder / name).write_text(text.replace(old, new))

    return change


def everywhere(old: str, new: str) -> Callable[[Path], object]:
    """Return what changes every module of an integration."""
    return lambda folder: [path.write_text(path.read_text().replace(old, new)) for path in folder.rglob("*.py")]


def added(name: str, text: str) -> Callable[[Path], object]:
    """Return what adds to a file of an integration."""
    return lambda folder: (folder / name).write_text((folder / name).read_text() + text)


RAISES = "\nfrom homeassistant.exceptions import HomeAssistantError\n\n\ndef no():\n    raise HomeAssistantError({})\n"
KEYED = 'translation_domain="commonwatt", translation_key="{}"'
ENTITY = """

class Loose({base}):
    def __init__(self):
        self.async_on_remove(self.hass.bus.async_listen("x", self.y))

    async def async_added_to_hass(self):
        self.hass.bus.async_listen("x", self.y)
"""
BREAKS: list[tuple[code.Check, Callable[[Path], object], str]] = [
    (code.action_setup, replaced("__init__.py", "async_setup_services(hass)", "pass"), "registers no action"),
    (
        code.action_setup,
        replaced("__init__.py", "await open_site", "async_setup_services(hass) or await open_site"),
        "entry",
    ),
    (code.polling, replaced("coordinator.py", "config_entry=entry, ", ""), "config_entry"),
    (code.polling, added("sensor.py", "\nSCAN_INTERVAL = 5\n"), "how often"),
    (code.common_modules, lambda folder: (folder / "coordinator.py").rename(folder / "pump.py"), "coordinator.py"),
    (code.dialogues, replaced("config_flow.py", "async_step_reauth_confirm", "async_step_again"), "reauth_confirm"),
    (code.dialogues, everywhere("async_set_unique_id", "async_forget"), "unique id"),
    (code.subentry_dialogues, replaced("translations/en.json", '"reconfigure":', '"change":'), "reconfigure"),
    (no_library_of_unknown_making, replaced("manifest.json", '"requirements": []', '"requirements": ["x==1"]'), "x==1"),
    (somebody_cares, replaced("manifest.json", '["@commonwatt"]', "[]"), "codeowners"),
    (code.listening, added("sensor.py", ENTITY.format(base="SiteEntity")), "listens in __init__"),
    (code.listening, added("sensor.py", ENTITY.format(base="SiteEntity")), "listens for ever"),
    (code.entity_bases, added("sensor.py", ENTITY.format(base="SensorEntity")), "extends no base"),
    (code.entity_bases, replaced("entity.py", "_attr_has_entity_name = True", "_attr_x = True"), "has_entity_name"),
    (code.entity_bases, replaced("entity.py", "_attr_unique_id", "_attr_other"), "unique id"),
    (code.entity_bases, added("sensor.py", "\nSensorEntity._attr_name = 'Power'\n"), "nobody can translate"),
    (code.runtime_data, replaced("__init__.py", "entry.runtime_data = ", "other = "), "sets no runtime_data"),
    (code.runtime_data, replaced("sensor.py", "entry: CommonwattConfigEntry", "entry: ConfigEntry"), "no type"),
    (code.setup_tested, lambda folder: [path.write_text("") for path in folder.glob("*.py")], "ConfigEntryNotReady"),
    (habits.exceptions, added("sensor.py", RAISES.format('"plain"')), "nobody can translate"),
    (habits.exceptions, added("sensor.py", RAISES.format(KEYED.format("ghost"))), "ghost, which has no words"),
    (habits.exceptions, added("sensor.py", RAISES.format(KEYED.format("outbox_failed"))), "does not fill error"),
    (habits.exceptions, replaced("gaps.py", '"ends_before_it_begins"', "KEY"), "not written there"),
    (code.unloading, replaced("__init__.py", "async_unload_platforms", "x"), "async_unload_platforms"),
    (code.parallel_updates, replaced("sensor.py", "PARALLEL_UPDATES = 0", "PARALLEL = 0"), "PARALLEL_UPDATES"),
    (code.devices, lambda folder: [path.write_text("") for path in folder.glob("*.py")], "via_device_id"),
    (code.diagnostics, replaced("diagnostics.py", "async_get_device", "get_device"), "async_get_device_diagnostics"),
    (code.discovery, replaced("manifest.json", '"zeroconf"', '"bluetooth"'), "nothing is discovered"),
    (habits.blocking, added("sensor.py", "\nimport requests\n"), "imports requests"),
    (habits.blocking, added("sensor.py", "\nimport time\n\n\ndef wait():\n    time.sleep(1)\n"), "calls time.sleep"),
    (
        habits.sessions,
        added("cloud.py", "\nimport aiohttp\n\nOWN = aiohttp.ClientSession()\n"),
        "of its own",
    ),
]


@pytest.mark.parametrize(("check", "change", "words"), BREAKS)
def test_a_broken_copy_is_noticed(copy: Path, check: code.Check, change: Callable[[Path], object], words: str) -> None:
    """Each check of the code can fail: a copy that breaks its rule is named."""
    change(copy)
    found = check(copy)
    assert any(words in complaint for complaint in found), found


def test_every_check_can_fail() -> None:
    """No check of the table above is without a copy that it refuses, here or with Home Assistant's validator."""
    elsewhere = {brand.complaints, icons.complaints, texts.complaints, manifest.complaints}
    of_the_project = {mypy_is_strict, coverage_is_measured}
    used = {check for held in HELD.values() for check in held.checks}
    assert used - elsewhere - of_the_project == {check for check, _, _ in BREAKS}


def test_what_is_run_too_little_is_named() -> None:
    """By module and lines; a dialogue needs every line."""

    def told(percent: float, *lines: int) -> dict[str, object]:
        return {"summary": {"percent_covered": percent}, "missing_lines": list(lines)}

    command = measuring()
    files = {
        "custom_components/commonwatt/sensor.py": told(95.0, 3),
        "custom_components/commonwatt/site.py": told(94.9, 3, 4, 5, 9),
        "custom_components/commonwatt/config_flow.py": told(100.0),
        "custom_components/commonwatt/flows/tap.py": told(99.9, 7),
    }
    assert command.below(files) == [
        "flows/tap.py: 99.9 % of 100 %, not run: 7",
        "site.py: 94.9 % of 95 %, not run: 3-5, 9",
    ]


def test_a_line_of_the_wire_is_run_by_either_side() -> None:
    """Both copies are equal to the byte; of the cloud nothing else counts."""

    def told(*missing: int) -> dict[str, object]:
        return {"missing_lines": list(missing), "summary": {"num_statements": 10}}

    files = {
        "custom_components/commonwatt/wire/tree.py": told(3, 4, 5),
        "cloud/wire/tree.py": told(5, 6),
        "custom_components/commonwatt/site.py": told(7),
        "custom_components/commonwatt/devices/__init__.py": {"missing_lines": [], "summary": {"num_statements": 0}},
    }
    assert measuring().joined(files) == {
        "custom_components/commonwatt/wire/tree.py": {"missing_lines": [5], "summary": {"percent_covered": 90.0}},
        "custom_components/commonwatt/site.py": {"missing_lines": [7], "summary": {"percent_covered": 90.0}},
        "custom_components/commonwatt/devices/__init__.py": {
            "missing_lines": [],
            "summary": {"percent_covered": 100.0},
        },
    }


def test_the_claim_stands_where_people_look() -> None:
    """Custom integrations are not ranked by Home Assistant, so the manifest claims no tier of theirs."""
    assert yaml.safe_load((SITE / "quality_scale.yaml").read_text())["rules"]
    assert "quality_scale" not in json.loads((SITE / "manifest.json").read_text())
