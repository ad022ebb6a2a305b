"""The actions: each described, named, with an icon, and registered by the code."""

import ast
from pathlib import Path
from typing import Any

from homeassistant.helpers import config_validation as cv, selector
import probatio

from .reading import against, read_json, read_yaml, sources

REGISTERS = {"async_register", "async_register_admin_service", "async_register_platform_entity_service"}


def _example(value: Any) -> Any:
    if value is None:
        raise probatio.Invalid("must not be empty")
    return value


FIELD = {
    probatio.Optional("example"): _example,
    probatio.Optional("default"): _example,
    probatio.Optional("required"): bool,
    probatio.Required("selector"): selector.validate_selector,
}
SECTION = {probatio.Optional("collapsed"): bool, probatio.Required("fields"): {str: FIELD}}
ACTION = probatio.Any(
    None,
    {
        probatio.Optional("target"): probatio.Any(None, selector.TargetSelector.CONFIG_SCHEMA),
        probatio.Optional("fields"): {str: probatio.Any(SECTION, FIELD)},
    },
)
SCHEMA = probatio.Schema({cv.slug: ACTION})


def complaints(folder: Path) -> list[str]:
    """Return what is wrong with the actions of an integration: description, words, icons and code must agree."""
    described = read_yaml(folder / "services.yaml") or {}
    if found := against(SCHEMA, described, "services.yaml"):
        return found
    texts = read_json(folder / "translations" / "en.json")
    icons = (read_json(folder / "icons.json") or {}).get("services", {})
    words = texts.get("services", {})
    found += _differ("services.yaml", described, "the texts", words)
    found += _differ("services.yaml", described, "icons.json", icons)
    found += _differ("services.yaml", described, "the code", registered(folder))
    for name in described.keys() & words.keys():
        fields, sections = _fields(described[name] or {})
        found += _differ(f"services.yaml: {name}", fields, "the texts", words[name].get("fields", {}))
        found += _differ(f"services.yaml: {name}", sections, "the texts", words[name].get("sections", {}))
        for field, schema in fields.items():
            key = (schema["selector"].get("select") or {}).get("translation_key")
            if key is not None and key not in texts.get("selector", {}):
                found.append(f"services.yaml: {name} has a field {field} whose choices have no words")
    return found


def registered(folder: Path) -> set[str]:
    """Return the actions the code registers; the name is a text or a constant of the module."""
    found: set[str] = set()
    for _, module in sources(folder):
        constants = _constants(module)
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in REGISTERS:
                for argument in node.args:
                    if isinstance(argument, ast.Name) and argument.id.startswith("SERVICE_"):
                        found.add(constants[argument.id])
    return found


def _constants(module: ast.Module) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in module.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = getattr(node, "value", None)
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            found |= {target.id: value.value for target in targets if isinstance(target, ast.Name)}
    return found


def _fields(action: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return an action's fields, those of its sections too, and its sections."""
    fields: dict[str, Any] = {}
    sections: dict[str, Any] = {}
    for name, schema in action.get("fields", {}).items():
        if "fields" in schema:
            sections[name] = schema
            fields |= schema["fields"]
        else:
            fields[name] = schema
    return fields, sections


def _differ(name: str, one: Any, other_name: str, other: Any) -> list[str]:
    only, lacking = sorted(set(one) - set(other)), sorted(set(other) - set(one))
    found = [f"{name} has {', '.join(only)} and {other_name} not"] if only else []
    return found + ([f"{other_name} has {', '.join(lacking)} and {name} not"] if lacking else [])
