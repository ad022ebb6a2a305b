"""HACS: what it asks of a repository of type integration, as far as a working copy can tell."""

from pathlib import Path
from typing import Any

from awesomeversion import AwesomeVersion
import probatio

from .reading import against, read_json

KEYS_OF_MANIFEST = ("codeowners", "documentation", "domain", "issue_tracker", "name", "version")
NAMES_OF_README = {"readme", "readme.md", "info", "info.md"}
KNOWN_LICENCES = ("Apache License", "MIT License", "GNU GENERAL PUBLIC LICENSE", "Mozilla Public License")


def _country(value: Any) -> Any:
    for code in value if isinstance(value, list) else [value]:
        if code != "ALL" and not (isinstance(code, str) and len(code) == 2 and code.isupper()):
            raise probatio.Invalid(f"'{code}' is no country code of two letters")
    return value


def _version(value: Any) -> str:
    if not isinstance(value, str) or not AwesomeVersion(value).valid:
        raise probatio.Invalid(f"'{value}' is no version")
    return value


def _archive_named(value: dict[str, Any]) -> dict[str, Any]:
    if value.get("zip_release") and "filename" not in value:
        raise probatio.Invalid("a release as archive needs its filename")
    return value


SCHEMA = probatio.Schema(
    probatio.All(
        {
            probatio.Required("name"): probatio.All(str, probatio.Length(min=1)),
            probatio.Optional("content_in_root"): bool,
            probatio.Optional("country"): _country,
            probatio.Optional("filename"): str,
            probatio.Optional("hacs"): _version,
            probatio.Optional("hide_default_branch"): bool,
            probatio.Optional("homeassistant"): _version,
            probatio.Optional("persistent_directory"): str,
            probatio.Optional("render_readme"): bool,
            probatio.Optional("zip_release"): bool,
        },
        _archive_named,
    )
)


def complaints(root: Path) -> list[str]:
    """Return what is wrong with a repository."""
    hacs = read_json(root / "hacs.json")
    found = ["hacs.json: there is none"] if hacs is None else against(SCHEMA, hacs, "hacs.json")
    folders = sorted(path for path in (root / "custom_components").glob("*") if (path / "__init__.py").is_file())
    if len(folders) != 1:
        return [*found, f"custom_components: {len(folders)} integrations, of which one would be installed"]
    [folder] = folders
    manifest = read_json(folder / "manifest.json") or {}
    found += [f"manifest.json: no {key}" for key in KEYS_OF_MANIFEST if key not in manifest]
    if not (folder / "brand" / "icon.png").is_file():
        found.append("brand/icon.png: there is none")
    if not any(path.name.lower() in NAMES_OF_README for path in root.iterdir()):
        found.append("README.md: there is none")
    licence = root / "LICENSE"
    if not licence.is_file() or not any(name in licence.read_text()[:300] for name in KNOWN_LICENCES):
        found.append("LICENSE: none that is approved as open source")
    return found
