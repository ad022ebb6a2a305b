"""The table of register maps in the documentation, made from the maps themselves: `python -m tests.checks.profiles`."""

from collections.abc import Iterator
import json
from pathlib import Path
import re
from typing import Any

ROOT = Path(__file__).parents[2]
PROFILES = ROOT / "custom_components" / "commonwatt" / "devices" / "profiles"
PAGE = ROOT / "docs" / "site" / "devices.md"
BETWEEN = re.compile(r"(?<=<!-- profiles -->\n).*?(?=<!-- /profiles -->)", re.DOTALL)
CHECKED = {"dump": "recording", "map": "map only"}


def table(folder: Path = PROFILES) -> str:
    """Return the table of every register map: what it is for, what can be made of it, and how it was checked."""
    return "\n".join(["| device | as | commands | checked |", "|---|---|---|---|", *sorted(_rows(folder)), ""])


def _rows(folder: Path) -> Iterator[str]:
    for path in folder.glob("*.json"):
        profile = json.loads(path.read_text())
        yield "| " + " | ".join(_columns(profile)) + " |"


def _columns(profile: dict[str, Any]) -> list[str]:
    commands = [name.removesuffix("_a").removesuffix("_w").replace("_", " ") for name in profile.get("commands", {})]
    if "breaker_command" in profile["fields"]:
        commands.append("breaker")
    kinds = ["V2G cable" if kind == "cable" else kind for kind in profile["kinds"]]
    return [profile["label"], ", ".join(kinds), ", ".join(commands) or "-", CHECKED[profile["checked"]]]


def written(page: str) -> str:
    """Return the page with the table as it must be."""
    return BETWEEN.sub(lambda _: table(), page)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
