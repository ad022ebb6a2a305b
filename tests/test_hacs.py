"""What HACS asks of a repository, as far as a working copy can tell; the rest its own action asks in the workflow."""

from collections.abc import Callable
import json
from pathlib import Path
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from .checks import hacs

ROOT = Path(__file__).parent.parent
SITE = Path("custom_components") / "commonwatt"


def test_nothing_is_wrong() -> None:
    """HACS can install the integration from this repository."""
    assert hacs.complaints(ROOT) == []


def test_the_oldest_home_assistant_is_told() -> None:
    """What the integration is built on came with this version."""
    assert json.loads((ROOT / "hacs.json").read_text())["homeassistant"] == "2026.10.0"


def test_what_is_installed_is_whole() -> None:
    """HACS takes the folder as git knows it: whatever the code reads at run time is in it and not ignored."""
    ignored = ["git", "check-ignore", "--no-index", "--stdin"]
    files = [path for path in (ROOT / SITE).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    told = "\n".join(str(path.relative_to(ROOT)) for path in files)
    assert subprocess.run(ignored, cwd=ROOT, input=told, capture_output=True, check=False, text=True).stdout == ""


def test_both_validators_run_on_every_change() -> None:
    """Those of Home Assistant and of HACS, with no more rights than to read."""
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "validate.yml").read_text())
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    used = [step["uses"] for step in steps if "uses" in step]
    assert "home-assistant/actions/hassfest@master" in used
    assert {"uses": "hacs/action@main", "with": {"category": "integration"}} in steps
    assert workflow["permissions"] == {"contents": "read"}
    assert {"push", "pull_request", "schedule"} <= workflow[True].keys()  # YAML reads `on` as a truth


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Copy what HACS looks at, to be broken."""
    shutil.copytree(ROOT / SITE, tmp_path / SITE, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("hacs.json", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path / name)
    assert hacs.complaints(tmp_path) == []
    return tmp_path


def edited(file: str | Path, /, **members: Any) -> Callable[[Path], object]:
    """Return what changes members of a JSON file; None takes one away."""

    def change(root: Path) -> None:
        data = json.loads((root / file).read_text()) | members
        (root / file).write_text(json.dumps({key: value for key, value in data.items() if value is not None}))

    return change


def another(root: Path) -> None:
    """Add a second integration."""
    (root / "custom_components" / "another").mkdir()
    (root / "custom_components" / "another" / "__init__.py").touch()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda root: (root / "hacs.json").unlink(), "hacs.json: there is none"),
        (edited("hacs.json", name=None), "name"),
        (edited("hacs.json", name=""), "name"),
        (edited("hacs.json", colour="blue"), "colour"),
        (edited("hacs.json", country="Japan"), "no country code"),
        (edited("hacs.json", country=["JP", "de"]), "no country code"),
        (edited("hacs.json", homeassistant="soon"), "is no version"),
        (edited("hacs.json", zip_release=True), "needs its filename"),
        (edited("hacs.json", render_readme="yes"), "render_readme"),
        (another, "2 integrations"),
        (lambda root: (root / SITE / "__init__.py").unlink(), "0 integrations"),
        *((edited(SITE / "manifest.json", **{key: None}), f"no {key}") for key in hacs.KEYS_OF_MANIFEST),
        (lambda root: (root / SITE / "brand" / "icon.png").unlink(), "brand/icon.png"),
        (lambda root: (root / "README.md").unlink(), "README.md"),
        (lambda root: (root / "LICENSE").unlink(), "LICENSE"),
        (lambda root: (root / "LICENSE").write_text("All rights reserved."), "LICENSE"),
    ],
)
def test_a_broken_repository_is_refused(copy: Path, change: Callable[[Path], object], words: str) -> None:
    """Each rule is broken once, and the check says where."""
    change(copy)
    found = hacs.complaints(copy)
    assert any(words in complaint for complaint in found), found


@pytest.mark.parametrize("country", ["JP", ["JP", "DE"], "ALL"])
def test_what_hacs_allows_is_not_refused(copy: Path, country: object) -> None:
    """A country, several, or all."""
    edited("hacs.json", country=country, zip_release=True, filename="commonwatt.zip")(copy)
    assert hacs.complaints(copy) == []
