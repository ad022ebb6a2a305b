"""What HACS and Home Assistant's own validator ask of a custom integration, as far as a working copy can tell."""

import json
from pathlib import Path
import re
import struct
import subprocess
import tomllib
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
SITE = ROOT / "custom_components" / "commonwatt"
HACS_KEYS = {
    *("name", "content_in_root", "country", "filename", "hacs", "hide_default_branch", "homeassistant"),
    *("persistent_directory", "render_readme", "zip_release"),
}
VERSION = re.compile(r"\d+\.\d+\.\d+")
COMMANDS = ("scripts/demo", "scripts/test", "scripts/setup", ".ci/run")


def read(path: Path) -> Any:
    """Return the JSON of a file."""
    return json.loads(path.read_text())


def committed() -> list[str]:
    """Return the files git knows."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True)
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()]


def test_there_is_one_integration_in_the_root() -> None:
    """HACS manages the first folder it finds, so there is only one."""
    assert [path.name for path in SITE.parent.iterdir() if path.is_dir() and path.name != "__pycache__"] == [SITE.name]
    assert (ROOT / "README.md").exists()
    assert "Apache License" in (ROOT / "LICENSE").read_text()[:200]


def test_hacs_knows_every_key_and_the_oldest_home_assistant() -> None:
    """Unknown keys are refused; the minimum is what the interfaces used need."""
    hacs = read(ROOT / "hacs.json")
    assert hacs.keys() <= HACS_KEYS
    assert hacs["name"]
    assert hacs["homeassistant"] == "2026.10.0"


def test_the_manifest_is_complete_and_in_order() -> None:
    """The keys HACS and the validator need, domain and name first, the others by name."""
    manifest = read(SITE / "manifest.json")
    assert {"codeowners", "documentation", "domain", "issue_tracker", "name", "version"} <= manifest.keys()
    assert manifest["domain"] == SITE.name
    assert list(manifest) == ["domain", "name", *sorted(manifest.keys() - {"domain", "name"})]
    assert manifest["documentation"].startswith("https://")
    assert manifest["issue_tracker"].startswith("https://")
    assert VERSION.fullmatch(manifest["version"])


def test_one_version_is_told_everywhere() -> None:
    """The release's tag is the manifest's version, and the cloud of the same commit says the same."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == read(SITE / "manifest.json")["version"]


@pytest.mark.parametrize(("name", "side"), [("icon.png", 256), ("icon@2x.png", 512)])
def test_the_icon_is_square_and_of_the_right_size(name: str, side: int) -> None:
    """A PNG tells its size in its first bytes."""
    head = (SITE / "brand" / name).read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", head[16:24]) == (side, side)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_texts_stand_by_themselves(language: str) -> None:
    """A custom integration has no strings.json: no reference to one, no address in a text, no untidy blank."""
    assert not (SITE / "strings.json").exists()
    for text in texts_of(read(SITE / "translations" / f"{language}.json")):
        assert "[%key:" not in text
        assert "://" not in text
        assert text == text.strip()


def texts_of(data: Any) -> list[str]:
    """Return every text in JSON data."""
    if isinstance(data, str):
        return [data]
    return [text for member in data.values() for text in texts_of(member)]


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_can_be_run(name: str) -> None:
    """A newcomer types them as the README says."""
    assert (ROOT / name).stat().st_mode & 0o111


def test_the_project_stands_alone() -> None:
    """No file names a place outside the project, or a machine it was made on."""
    elsewhere = re.compile(rb"\.\./" + rb"shared|/wo" + rb"rk/|/ro" + rb"ot/|/ho" + rb"me/[a-z]")
    wrong = [name for name in committed() if elsewhere.search((ROOT / name).read_bytes())]
    assert wrong == []


def test_measured_data_carry_their_licence() -> None:
    """Data of others lie beside a note of where they come from and on what terms."""
    for folder in {(ROOT / name).parent for name in committed() if name.endswith((".csv", ".csv.gz"))}:
        note = (folder / "README.md").read_text()
        assert "CC-BY-4.0" in note
        assert "Origin" in note
