"""Reading the files of an integration, and saying what a schema has against them."""

import ast
from collections.abc import Iterator
import json
from pathlib import Path
from typing import Any

import homeassistant
import probatio
from probatio.humanize import humanize_error
import yaml

CORE = Path(homeassistant.__file__).parent / "components"
CONSTRAINTS = Path(homeassistant.__file__).parent / "package_constraints.txt"


def read_json(path: Path) -> Any:
    """Return the JSON of a file; None if there is no such file."""
    return json.loads(path.read_text()) if path.is_file() else None


def read_yaml(path: Path) -> Any:
    """Return the YAML of a file; None if there is no such file."""
    return yaml.safe_load(path.read_text()) if path.is_file() else None


def against(schema: probatio.Schema, data: Any, name: str) -> list[str]:
    """Return what a schema has against the data of a file."""
    try:
        schema(data)
    except probatio.Invalid as error:
        return [f"{name}: {humanize_error(data, error)}"]
    return []


def sources(folder: Path) -> Iterator[tuple[Path, ast.Module]]:
    """Yield every module of an integration with its syntax tree."""
    for path in sorted(folder.rglob("*.py")):
        if "__pycache__" not in path.parts:
            yield path, ast.parse(path.read_text())


def leaves(tree: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text of JSON data with its path."""
    if isinstance(tree, dict):
        for key, member in tree.items():
            yield from leaves(member, f"{path}.{key}" if path else str(key))
    else:
        yield path, tree
