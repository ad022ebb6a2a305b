"""The manifest: its keys, their order and forms, and whether what it names exists and is used."""

import ast
from collections.abc import Iterator
from pathlib import Path
import re
from typing import Any
from urllib.parse import urlparse

from awesomeversion import AwesomeVersion, AwesomeVersionException, AwesomeVersionStrategy
from homeassistant.const import Platform
import probatio

from .reading import CONSTRAINTS, CORE, against, read_json, sources

IOT_CLASSES = ["assumed_state", "calculated", "cloud_polling", "cloud_push", "local_polling", "local_push"]
KINDS = ["device", "entity", "hardware", "helper", "hub", "service", "system", "virtual"]
SCALES = ["bronze", "silver", "gold", "platinum", "custom", "no_score", "internal", "legacy"]
VERSIONS = [
    AwesomeVersionStrategy.CALVER,
    AwesomeVersionStrategy.SEMVER,
    AwesomeVersionStrategy.SIMPLEVER,
    AwesomeVersionStrategy.BUILDVER,
    AwesomeVersionStrategy.PEP440,
]
# what an integration may import without naming it as a dependency: it is there always, or only helps whoever loads it
EVERYWHERE = {
    *(platform.value for platform in Platform),
    *("automation", "device_automation", "frontend", "group", "homeassistant", "media_source", "onboarding"),
    *("panel_custom", "persistent_notification", "person", "script", "sun", "system_health", "system_log", "timer"),
    *("webhook", "websocket_api", "zone"),
}
REQUIREMENT = re.compile(r"[A-Za-z0-9._-]+(\[[a-z0-9,._-]+\])?==\S+")


def _https(value: str) -> str:
    url = urlparse(value)
    if url.scheme != "https" or not url.netloc:
        raise probatio.Invalid("is no address that begins with https://")
    return value


def _version(value: str) -> str:
    try:
        AwesomeVersion(value, ensure_strategy=VERSIONS)
    except AwesomeVersionException as error:
        raise probatio.Invalid(f"'{value}' is no version") from error
    return value


def _lower(value: str) -> str:
    if value != value.lower():
        raise probatio.Invalid("must be in lower case")
    return value


def _upper_wildcard(value: str) -> str:
    if value != value.upper() or "*" not in value:
        raise probatio.Invalid("must be in capitals, with a wildcard")
    return value


def _service_type(value: str) -> str:
    if not re.fullmatch(r"_[a-z0-9_-]+\._(tcp|udp)\.local\.", value):
        raise probatio.Invalid(f"'{value}' is no service type such as _name._tcp.local.")
    return value


def _owner(value: str) -> str:
    if not re.fullmatch(r"@[\w/-]+", value):
        raise probatio.Invalid(f"'{value}' is no account such as @name")
    return value


MATCHER = {
    probatio.Required("type"): _service_type,
    probatio.Optional("name"): probatio.All(str, _lower),
    probatio.Optional("properties"): {str: probatio.All(str, _lower)},
}
CORE_KEYS: dict[Any, Any] = {
    probatio.Required("domain"): str,
    probatio.Required("name"): str,
    probatio.Optional("integration_type"): probatio.In(KINDS),
    probatio.Optional("config_flow"): bool,
    probatio.Optional("zeroconf"): [probatio.Any(probatio.All(str, _service_type), MATCHER)],
    probatio.Optional("dhcp"): [
        {
            probatio.Optional("macaddress"): probatio.All(str, _upper_wildcard),
            probatio.Optional("hostname"): probatio.All(str, _lower),
            probatio.Optional("registered_devices"): True,
        }
    ],
    probatio.Required("documentation"): probatio.All(str, _https),
    probatio.Optional("quality_scale"): probatio.In(SCALES),
    probatio.Optional("requirements"): [str],
    probatio.Optional("dependencies"): [str],
    probatio.Optional("after_dependencies"): [str],
    probatio.Required("codeowners"): [probatio.All(str, _owner)],
    probatio.Optional("loggers"): [str],
    probatio.Required("iot_class"): probatio.In(IOT_CLASSES),
    probatio.Optional("single_config_entry"): bool,
}
CORE_SCHEMA = probatio.Schema(CORE_KEYS)
CUSTOM_SCHEMA = probatio.Schema(
    CORE_KEYS
    | {
        probatio.Required("version"): probatio.All(str, _version),
        probatio.Required("issue_tracker"): probatio.All(str, _https),
    }
)


def complaints(folder: Path, schema: probatio.Schema = CUSTOM_SCHEMA) -> list[str]:
    """Return what is wrong with the manifest of an integration."""
    manifest = read_json(folder / "manifest.json")
    if manifest is None:
        return ["manifest.json: there is none"]
    if wrong := against(schema, manifest, "manifest.json"):
        return wrong
    return [f"manifest.json: {words}" for words in [*_form(folder, manifest), *_named(folder, manifest)]]


def _form(folder: Path, manifest: dict[str, Any]) -> Iterator[str]:
    if manifest["domain"] != folder.name:
        yield "the domain is not the folder's name"
    if list(manifest) != ["domain", "name", *sorted(manifest.keys() - {"domain", "name"})]:
        yield "keys are not in order: domain, name, then by name"
    for key in ("dependencies", "after_dependencies", "loggers"):
        if manifest.get(key, []) != sorted(manifest.get(key, [])):
            yield f"{key} are not in order"
    if manifest.get("config_flow", False) != (folder / "config_flow.py").is_file():
        yield "config_flow does not say whether there is a config_flow.py"
    if folder.parent != CORE and (CORE / manifest["domain"]).exists():
        yield "Home Assistant has an integration of this domain"


def _named(folder: Path, manifest: dict[str, Any]) -> Iterator[str]:
    """Say what is named and does not exist, or used and not named."""
    dependencies = {*manifest.get("dependencies", []), *manifest.get("after_dependencies", [])}
    for dependency in sorted(dependencies):
        if not (CORE / dependency / "manifest.json").is_file():
            yield f"Home Assistant has no {dependency}"
    for path, module in sources(folder):
        for used in sorted(_components(module) - dependencies - EVERYWHERE - {folder.name, path.stem}):
            yield f"{path.name} imports {used}, which is no dependency"
    held_at = re.compile(r"([\w.-]+)==([\w.]+)", re.ASCII)
    pinned = {found[1]: found[2] for line in CONSTRAINTS.read_text().splitlines() if (found := held_at.match(line))}
    for requirement in manifest.get("requirements", []):
        if not REQUIREMENT.fullmatch(requirement):
            yield f"{requirement} is not pinned by =="
            continue
        name, version = requirement.split("==")
        if (held := pinned.get(name.split("[")[0])) not in (None, version):
            yield f"{requirement} cannot be installed beside Home Assistant's {held}"


def _components(module: ast.Module) -> set[str]:
    """Return the integrations of Home Assistant that a module imports when it runs."""
    found: set[str] = set()
    unused = {id(inner) for node in ast.walk(module) if _for_types_only(node) for inner in ast.walk(node)}
    for node in ast.walk(module):
        if id(node) in unused or not isinstance(node, (ast.Import, ast.ImportFrom)):
            continue
        base = node.module if isinstance(node, ast.ImportFrom) and not node.level else None
        for alias in node.names:
            parts = f"{base}.{alias.name}".split(".") if base else alias.name.split(".")
            if parts[:2] == ["homeassistant", "components"] and len(parts) > 2:
                found.add(parts[2])
    return found


def _for_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
