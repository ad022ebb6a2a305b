"""The project as a whole: one version, commands that run, nothing that only works on the machine it was made on."""

import json
from pathlib import Path
import re
import subprocess
import tomllib
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
SITE = ROOT / "custom_components" / "commonwatt"
COMMANDS = ("scripts/demo", "scripts/test", "scripts/setup", "scripts/coverage", "scripts/brand", ".ci/run")


def read(path: Path) -> Any:
    """Return the JSON of a file."""
    return json.loads(path.read_text())


def committed() -> list[str]:
    """Return the files git knows."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True)
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()]


def test_one_version_is_told_everywhere() -> None:
    """The release's tag is the manifest's version, and the cloud of the same commit says the same."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == read(SITE / "manifest.json")["version"]


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_can_be_run(name: str) -> None:
    """A newcomer types them as the README says."""
    assert (ROOT / name).stat().st_mode & 0o111


def test_the_project_stands_alone() -> None:
    """No file names a place outside the project, or a machine it was made on."""
    elsewhere = re.compile(rb"\.\./" + rb"shared|/wo" + rb"rk/|/ro" + rb"ot/|/ho" + rb"me/[a-z]")
    wrong = [name for name in committed() if elsewhere.search((ROOT / name).read_bytes())]
    assert wrong == []


OPEN_LICENCES = ("CC-BY-4.0", "CC0", "MIT", "Apache-2.0", "Apache License", "BSD", "BMRS data licence")


def test_data_of_others_carry_their_licence() -> None:
    """They lie beside, or below, a note of where they come from and on what terms."""
    tests_of_others = [path for path in (ROOT / "tests" / "data").glob("*") if path.is_dir()]
    folders = {(ROOT / name).parent for name in committed() if name.endswith((".csv", ".csv.gz"))} | set(
        tests_of_others
    )
    for folder in folders:
        near = [path for where in (folder, folder.parent) for path in (where / "NOTICE.md", where / "README.md")]
        notes = [path.read_text() for path in near if path.is_file()]
        assert any(licence in note for note in notes for licence in OPEN_LICENCES), folder
