"""The quality scale: its rules by tier, and the form of the file in which an integration says how it keeps them."""

from pathlib import Path
from typing import Any

import probatio

from .reading import against, read_yaml

BRONZE = (
    *("action-setup", "appropriate-polling", "brands", "common-modules", "config-flow", "config-flow-test-coverage"),
    *("dependency-transparency", "docs-actions", "docs-conditions", "docs-high-level-description"),
    *("docs-installation-instructions", "docs-removal-instructions", "docs-triggers", "entity-event-setup"),
    *("entity-unique-id", "has-entity-name", "runtime-data", "test-before-configure", "test-before-setup"),
    "unique-config-entry",
)
SILVER = (
    *("action-exceptions", "config-entry-unloading", "docs-configuration-parameters", "docs-installation-parameters"),
    *("entity-unavailable", "integration-owner", "log-when-unavailable", "parallel-updates"),
    *("reauthentication-flow", "test-coverage"),
)
GOLD = (
    *("devices", "diagnostics", "discovery", "discovery-update-info", "docs-data-update", "docs-examples"),
    *("docs-known-limitations", "docs-supported-devices", "docs-supported-functions", "docs-troubleshooting"),
    *("docs-use-cases", "dynamic-devices", "entity-category", "entity-device-class", "entity-disabled-by-default"),
    *("entity-translations", "exception-translations", "icon-translations", "reconfiguration-flow", "repair-issues"),
    "stale-devices",
)
PLATINUM = ("async-dependency", "inject-websession", "strict-typing")
TIERS = {"bronze": BRONZE, "silver": SILVER, "gold": GOLD, "platinum": PLATINUM}
RULES = (*BRONZE, *SILVER, *GOLD, *PLATINUM)

STATUS = probatio.Any(
    probatio.In(["done", "todo"]),
    {probatio.Required("status"): probatio.In(["done", "todo"]), probatio.Optional("comment"): str},
    {probatio.Required("status"): "exempt", probatio.Required("comment"): probatio.All(str, probatio.Length(min=1))},
)
SCHEMA = probatio.Schema({probatio.Required("rules"): {probatio.In(RULES): STATUS}})


def statuses(folder: Path) -> dict[str, str]:
    """Return how an integration keeps each rule: done, todo or exempt."""
    rules: dict[str, Any] = (read_yaml(folder / "quality_scale.yaml") or {}).get("rules", {})
    return {rule: kept["status"] if isinstance(kept, dict) else kept for rule, kept in rules.items()}


def complaints_of_form(folder: Path) -> list[str]:
    """Return what is wrong with the form of the file, and which rules are left out or still to do."""
    scale = read_yaml(folder / "quality_scale.yaml")
    if scale is None:
        return ["quality_scale.yaml: there is none"]
    if found := against(SCHEMA, scale, "quality_scale.yaml"):
        return found
    kept = statuses(folder)
    found += [f"quality_scale.yaml: {rule} is not in it" for rule in RULES if rule not in kept]
    return found + [f"quality_scale.yaml: {rule} is still to do" for rule, status in kept.items() if status == "todo"]


def complaints(folder: Path) -> list[str]:
    """Return what is wrong with the file of an integration that claims the highest tier."""
    found = complaints_of_form(folder)
    if not found and list(statuses(folder)) != list(RULES):
        found.append("quality_scale.yaml: rules are not in order: by tier, then by name")
    return found
