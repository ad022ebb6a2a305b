"""Home Assistant's validator for custom integrations, as far as it is on no registry: its rules, each able to fail.

The same checks are held against the integrations of the highest tier that Home Assistant itself ships, so that a check
which asks for too much is found as well.
"""

from collections.abc import Callable, Mapping
import json
from pathlib import Path
import shutil
from typing import Any

import pytest

from .checks import actions, brand, code, icons, manifest, scale, texts
from .checks.reading import CORE, against, read_json, read_yaml

SITE = Path(__file__).parent.parent / "custom_components" / "commonwatt"
CHECKS: Mapping[str, code.Check] = {
    "manifest": manifest.complaints,
    "texts": texts.complaints,
    "icons": icons.complaints,
    "actions": actions.complaints,
    "brand": brand.complaints,
    "quality scale": scale.complaints,
    "configuration schema": code.config_schema,
}
# discovery by these is none of ours, so that their forms are not checked
OTHER_KEYS = {"bluetooth", "ssdp", "homekit", "mqtt", "usb"}
OTHER_TEXTS = {"application_credentials", "config_panel", "device_automation"}
# what the bare reading of Home Assistant's own integrations stumbles over, and why that is right
OWN_WAY = {
    "mqtt": "a trigger without a name of its own, which only Home Assistant may have",
    "tplink": "dependencies not by name",
    "wiim": "loggers not by name",
    "teslemetry": "bluetooth comes with its bluetooth_adapters",
    "reolink": "stream is imported by its media_source alone",
    "immich": "media_source is there always",
    "esphome": "an empty services.yaml",
    "monzo": "a template in services.yaml",
}


@pytest.mark.parametrize("name", CHECKS)
def test_nothing_is_wrong(name: str) -> None:
    """The integration is as Home Assistant's validator wants it."""
    assert CHECKS[name](SITE) == []


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Copy the integration, to be broken."""
    folder = tmp_path / "commonwatt"
    shutil.copytree(SITE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def edited(name: str, edit: Callable[[Any], object]) -> Callable[[Path], object]:
    """Return what changes a JSON file of an integration."""

    def change(folder: Path) -> None:
        data = read_json(folder / name)
        edit(data)
        (folder / name).write_text(json.dumps(data))

    return change


def written(name: str, change: Callable[[str], str]) -> Callable[[Path], object]:
    """Return what changes a text file of an integration."""
    return lambda folder: (folder / name).write_text(change((folder / name).read_text()))


MANIFEST, EN, JA, ICONS = "manifest.json", "translations/en.json", "translations/ja.json", "icons.json"
BREAKS: list[tuple[str, Callable[[Path], object], str]] = [
    ("manifest", edited(MANIFEST, lambda it: it.pop("version")), "version"),
    ("manifest", edited(MANIFEST, lambda it: it.update(version="one")), "is no version"),
    ("manifest", edited(MANIFEST, lambda it: it.pop("issue_tracker")), "issue_tracker"),
    ("manifest", edited(MANIFEST, lambda it: it.update(documentation="http://plain.example")), "https://"),
    ("manifest", edited(MANIFEST, lambda it: it.update(iot_class="local")), "iot_class"),
    ("manifest", edited(MANIFEST, lambda it: it.update(integration_type="house")), "integration_type"),
    ("manifest", edited(MANIFEST, lambda it: it.update(name=it.pop("name"))), "not in order"),
    ("manifest", edited(MANIFEST, lambda it: it.update(zzz=1)), "zzz"),
    ("manifest", edited(MANIFEST, lambda it: it.update(domain="other")), "folder's name"),
    ("manifest", edited(MANIFEST, lambda it: it.update(dependencies=["modbos"])), "has no modbos"),
    ("manifest", edited(MANIFEST, lambda it: it.update(dependencies=[])), "imports modbus"),
    ("manifest", edited(MANIFEST, lambda it: it.update(config_flow=False)), "config_flow"),
    ("manifest", edited(MANIFEST, lambda it: it.update(codeowners=["commonwatt"])), "is no account"),
    ("manifest", edited(MANIFEST, lambda it: it.update(loggers=["tmodbus", "modbus_connection"])), "not in order"),
    ("manifest", edited(MANIFEST, lambda it: it.update(requirements=["pymodbus>=3"])), "not pinned"),
    ("manifest", edited(MANIFEST, lambda it: it.update(requirements=["pymodbus==1.0"])), "beside Home Assistant's"),
    ("manifest", edited(MANIFEST, lambda it: it.update(zeroconf=["_http._tcp"])), "no service type"),
    ("manifest", edited(MANIFEST, lambda it: it.update(dhcp=[{"macaddress": "aabbcc*"}])), "capitals"),
    ("manifest", lambda folder: (folder / "config_flow.py").unlink(), "config_flow"),
    ("texts", edited(EN, lambda it: it["issues"].update(x={"title": "Only a title"})), "issues.x"),
    ("texts", edited(EN, lambda it: it["exceptions"].update(bare="no message")), "exceptions.bare"),
    ("texts", edited(EN, lambda it: it["config"]["error"].update(x="See https://example.com")), "an address"),
    ("texts", edited(EN, lambda it: it["config"]["error"].update(x="[%key:common::x%]")), "another text"),
    ("texts", edited(EN, lambda it: it["config"]["error"].update(x=" blank")), "blanks"),
    ("texts", edited(EN, lambda it: it["config"]["error"].update(x="<b>bold</b>")), "HTML"),
    ("texts", edited(EN, lambda it: it["config"]["error"].update(x="the '{tap}'")), "single quotes"),
    ("texts", edited(EN, lambda it: it["config"]["error"].update(x="{not valid}")), "nothing fills"),
    ("texts", edited(EN, lambda it: it["entity"]["sensor"]["quality"]["state"].update(ok="{x}")), "nothing fills"),
    ("texts", edited(EN, lambda it: it["entity"]["sensor"].update({"Bad Key": {}})), "is no key"),
    (
        "texts",
        edited(EN, lambda it: it["config"]["step"]["pair"]["data_description"].update(x="y")),
        "does not have: x",
    ),
    ("texts", edited(EN, lambda it: it["config_subentries"]["tap"]["initiate_flow"].pop("user")), "initiate_flow"),
    ("texts", edited(EN, lambda it: it["config_subentries"]["tap"].pop("entry_type")), "entry_type"),
    ("texts", edited(EN, lambda it: it["services"]["spread_gap"].pop("description")), "spread_gap"),
    ("texts", edited(EN, lambda it: it["selector"]["interval"]["options"].update({"60": ""})), "selector.interval"),
    ("texts", edited(EN, lambda it: it["system_health"].update(more="x")), "system_health"),
    ("texts", edited(EN, lambda it: it.update(nonsense={})), "nonsense"),
    ("texts", edited(EN, lambda it: it["config"]["error"].update(new="New.")), "is not translated"),
    ("texts", edited(JA, lambda it: it["config"]["error"].update(new="New.")), "is not in English"),
    ("texts", edited(JA, lambda it: it["config"]["error"].update(refused="断られました")), "fills in other words"),
    ("texts", lambda folder: (folder / "strings.json").write_text("{}"), "strings.json"),
    ("texts", lambda folder: (folder / EN).unlink(), "there is none"),
    ("texts", lambda folder: shutil.copy(folder / JA, folder / "translations/jp.json"), "no language jp"),
    ("icons", edited(ICONS, lambda it: it["entity"]["sensor"]["quality"].update(default="hass:x")), "is no icon"),
    ("icons", edited(ICONS, lambda it: it["entity"]["sensor"]["quality"].update(default="mdi:xyzzy")), "has no icon"),
    ("icons", edited(ICONS, lambda it: it["entity"]["sensor"].update(ghost={"default": "mdi:flash"})), "no words"),
    ("icons", edited(ICONS, lambda it: it["entity"]["sensor"]["quality"]["state"].update(x="mdi:flash")), "states"),
    ("icons", edited(ICONS, lambda it: it["services"].update(spread_gap="mdi:flash")), "spread_gap"),
    ("icons", lambda folder: (folder / ICONS).unlink(), "there is none"),
    ("actions", written("services.yaml", lambda it: f"{it}\nnew_one:\n"), "new_one"),
    ("actions", written("services.yaml", lambda it: it.replace("spread_gap:", "spread_gaps:")), "spread_gap"),
    ("actions", written("services.yaml", lambda it: it.replace("selector:", "selecter:", 1)), "services.yaml"),
    ("actions", written("gaps.py", lambda it: it.replace('"spread_gap"', '"spread"')), "the code"),
    ("actions", edited(ICONS, lambda it: it["services"].pop("spread_gap")), "icons.json"),
    ("actions", edited(EN, lambda it: it["services"]["spread_gap"]["fields"].pop("from")), "has from"),
    ("brand", lambda folder: (folder / "brand" / "logo.png").unlink(), "there is none"),
    ("brand", lambda folder: shutil.copy(folder / "brand/icon@2x.png", folder / "brand/icon.png"), "512 x 512"),
    ("brand", lambda folder: shutil.copy(folder / "brand/icon.png", folder / "brand/logo.png"), "a logo lies"),
    ("brand", lambda folder: (folder / "brand" / "icon.png").write_bytes(b"GIF89a"), "is no PNG"),
    ("brand", lambda folder: (folder / "brand" / "banner.png").write_bytes(b""), "no such file"),
    ("quality scale", written("quality_scale.yaml", lambda it: it.replace("  brands: done\n", "")), "brands"),
    ("quality scale", written("quality_scale.yaml", lambda it: it.replace("brands: done", "brands: todo")), "to do"),
    ("quality scale", written("quality_scale.yaml", lambda it: it.replace("brands:", "brand:")), "brand"),
    ("quality scale", written("quality_scale.yaml", lambda it: it.replace("brands: done", "brands: exempt")), "brands"),
    ("configuration schema", written("__init__.py", lambda it: it.replace("CONFIG_SCHEMA", "NONE")), "CONFIG_SCHEMA"),
]


@pytest.mark.parametrize(("name", "change", "words"), BREAKS)
def test_a_broken_copy_is_refused(copy: Path, name: str, change: Callable[[Path], object], words: str) -> None:
    """Each rule is broken once, and the check says where."""
    change(copy)
    found = CHECKS[name](copy)
    assert any(words in complaint for complaint in found), found


def test_a_picture_without_transparent_ground_is_refused(copy: Path) -> None:
    """The colour type of a PNG stands in its 26th byte."""
    picture = copy / "brand" / "icon.png"
    data = bytearray(picture.read_bytes())
    data[25] = 2
    picture.write_bytes(bytes(data))
    assert brand.complaints(copy) == ["brand/icon.png: has no transparent ground"]


PLATINUM = sorted(
    path.parent
    for path in CORE.glob("*/manifest.json")
    if read_json(path).get("quality_scale") == "platinum" and path.parent.name not in OWN_WAY
)


@pytest.mark.parametrize("folder", PLATINUM, ids=lambda folder: folder.name)
def test_no_check_asks_for_more_than_home_assistant_does(folder: Path) -> None:
    """The integrations of the highest tier pass, but for what stands above with its reason."""
    described = {key: value for key, value in read_json(folder / MANIFEST).items() if key not in OTHER_KEYS}
    found = against(manifest.CORE_SCHEMA, described, MANIFEST)
    if not OTHER_KEYS & read_json(folder / MANIFEST).keys():
        found += manifest.complaints(folder, manifest.CORE_SCHEMA)
    english = read_json(folder / EN) or {}
    found += against(texts.SCHEMA, {key: words for key, words in english.items() if key not in OTHER_TEXTS}, EN)
    found += against(icons.SCHEMA, read_json(folder / ICONS) or {}, ICONS)
    found += against(actions.SCHEMA, read_yaml(folder / "services.yaml") or {}, "services.yaml")
    assert found + scale.complaints_of_form(folder) == []
