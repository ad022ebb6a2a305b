"""The documentation: no link leads nowhere, what is made from the code is up to date, and examples would be taken."""

from collections.abc import Iterator
import json
from pathlib import Path
import re
from typing import Any

from homeassistant.components.automation.config import async_validate_config_item
from homeassistant.core import HomeAssistant
from homeassistant.helpers.template import Template
import pytest
import yaml

from cloud.doors import ENDPOINTS
from cloud.hub.quantity import MEASURES

from .checks import profiles, scale
from .checks.reading import leaves

ROOT = Path(__file__).parent.parent
SITE = ROOT / "custom_components" / "commonwatt"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\[[^\]\n]*(?:\n[^\]\n]*)?\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
QUOTED = re.compile(r"^\| (\*[^|]+) \|", re.MULTILINE)


def prose(path: Path) -> str:
    """Return the text of a page without its code."""
    return FENCE.sub("", path.read_text())


def anchors(text: str) -> set[str]:
    """Return what the headings of a page can be linked by, as GitHub makes it of them."""
    found = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


def dead_links(path: Path) -> Iterator[str]:
    """Yield the links of a page that lead to no file or to no heading."""
    for link in LINK.findall(prose(path)):
        if "://" in link or link.startswith("mailto:"):
            continue
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        if not target.exists() or (anchor and anchor not in anchors(prose(target))):
            yield link


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_link_leads_nowhere(path: Path) -> None:
    """To a file of this project, and to a heading in it."""
    assert list(dead_links(path)) == []


def test_a_dead_link_is_noticed(tmp_path: Path) -> None:
    """A page that is gone, a heading that is gone; code is no text, and other sites are not asked."""
    (tmp_path / "other.md").write_text("# Here `it` is\n")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](other.md) [b](other.md#here-it-is) [c](gone.md) [d](other.md#there) [two\nlines](#none)\n"
        "```\n[e](code.md)\n```\n[f](https://example.com)\n"
    )
    assert list(dead_links(page)) == ["gone.md", "other.md#there", "#none"]


def test_the_question_mark_in_home_assistant_leads_to_the_documentation() -> None:
    """The manifest names a page that is there."""
    link = json.loads((SITE / "manifest.json").read_text())["documentation"]
    _, _, page = link.partition("/blob/main/")
    assert page.startswith("docs/")
    assert (ROOT / page).is_file()


def test_every_page_of_the_site_is_in_its_index() -> None:
    """Nobody has to guess that a page exists."""
    listed = set(LINK.findall((ROOT / "docs" / "site.md").read_text()))
    assert {f"site/{path.name}" for path in (ROOT / "docs" / "site").glob("*.md")} <= listed


def test_every_rule_about_documentation_has_its_page() -> None:
    """But those of triggers and conditions, of which we have none; that is said among the examples."""
    rules = {rule for rule, status in scale.statuses(SITE).items() if rule.startswith("docs-") and status == "done"}
    assert len(rules) == 13
    assert "## Triggers and conditions" in (ROOT / "docs" / "site" / "examples.md").read_text()


def test_the_table_of_register_maps_is_up_to_date() -> None:
    """It is made from the maps: run `python -m tests.checks.profiles`."""
    page = profiles.PAGE.read_text()
    assert page == profiles.written(page)
    assert page.count("\n| ") >= len(list(profiles.PROFILES.glob("*.json")))


def test_every_action_and_field_is_documented() -> None:
    """By the name it is called with; and nothing that is gone is."""
    page = (ROOT / "docs" / "site" / "actions.md").read_text()
    actions = yaml.safe_load((SITE / "services.yaml").read_text())
    assert set(re.findall(r"^## `commonwatt\.(\w+)`", page, re.MULTILINE)) == actions.keys()
    parts = dict(re.findall(r"^## `commonwatt\.(\w+)`\n(.*?)(?=^## )", page, re.MULTILINE | re.DOTALL))
    for name, action in actions.items():
        assert [field for field in action["fields"] if f"`{field}`" not in parts[name]] == []


def test_every_field_of_the_first_dialogues_is_documented() -> None:
    """What is asked when a site is added stands on the page about installing it."""
    texts = json.loads((SITE / "translations" / "en.json").read_text())["config"]["step"]
    page = (ROOT / "docs" / "site" / "installation.md").read_text()
    asked = [*texts["pair"]["data"].values(), *texts["local"]["data"].values()]
    assert [label for label in asked if f"| {label} |" not in page] == []


def test_every_field_of_a_tap_is_documented() -> None:
    """What can be changed at a tap stands on the page about configuring it."""
    tap = json.loads((SITE / "translations" / "en.json").read_text())["config_subentries"]["tap"]["step"]
    page = (ROOT / "docs" / "site" / "configuration.md").read_text().lower()
    labels = [*tap["details"]["data"].values(), *tap["details"]["sections"]["more_options"]["data"].values()]
    labels += [*tap["entities"]["data"].values()]
    assert [label for label in labels if label.lower() not in page] == []


def test_messages_are_quoted_as_they_are_shown() -> None:
    """Whoever looks for the words of a repair or an error finds them; what was filled in is left out as `…`."""
    told = [text.rstrip(".") for _, text in leaves(json.loads((SITE / "translations" / "en.json").read_text()))]
    shown = [re.sub(r"{\w+}", "…", text) for text in told]
    page = (ROOT / "docs" / "site" / "troubleshooting.md").read_text()
    quoted = [quote for row in QUOTED.findall(page) for quote in re.findall(r"\*([^*]+)\*", row)]
    assert len(quoted) > 15
    unknown = [quote for quote in quoted if not any(quote in text for text in shown)]
    assert unknown == []


def test_every_repair_is_explained() -> None:
    """By its title, for whoever looks for it."""
    issues = json.loads((SITE / "translations" / "en.json").read_text())["issues"]
    quoted = set(QUOTED.findall((ROOT / "docs" / "site" / "troubleshooting.md").read_text()))
    titles = {f"*{re.sub(r'{\w+}', '…', issue['title'])}*" for issue in issues.values()}
    assert titles - quoted == set()


def examples(name: str) -> list[Any]:
    """Return the YAML of a page."""
    text = (ROOT / "docs" / "site" / f"{name}.md").read_text()
    return [yaml.safe_load(code) for language, code in FENCE.findall(text) if language == "yaml"]


@pytest.mark.parametrize("example", examples("examples"), ids=lambda example: str(example["alias"]))
async def test_every_example_is_an_automation(hass: HomeAssistant, example: dict[str, Any]) -> None:
    """Home Assistant would take it as it stands."""
    checked = await async_validate_config_item(hass, "example", example)
    assert checked is not None
    assert checked.validation_status == "ok", checked.validation_error
    for _, text in leaves(json.loads(json.dumps(example))):
        if isinstance(text, str):
            Template(text, hass).ensure_valid()


def test_every_action_has_an_example() -> None:
    """With all fields that are required, and no other ones."""
    actions = yaml.safe_load((SITE / "services.yaml").read_text())
    shown = {example["action"].removeprefix("commonwatt."): example["data"] for example in examples("actions")}
    assert shown.keys() == actions.keys()
    for name, data in shown.items():
        fields = actions[name]["fields"]
        assert data.keys() <= fields.keys()
        assert {field for field, schema in fields.items() if schema.get("required")} <= data.keys()


HUB = ROOT / "docs" / "hub"
MENTIONED = re.compile(r"\b(GET|POST|PUT|PATCH|DELETE) (/v1/[\w{}/.…-]+)")


def test_every_page_of_the_hub_is_in_its_index() -> None:
    """Nobody has to guess that a page exists."""
    listed = set(LINK.findall((HUB / "index.md").read_text()))
    assert {path.name for path in HUB.glob("*.md")} - {"index.md"} <= listed


def test_the_table_of_quantities_is_that_of_the_hub() -> None:
    """Every word with its unit and shape, in the same order."""
    rows = re.findall(
        r"^\| `(\w+)` \| (.+) \| (register|interval|instant) \|$", (HUB / "index.md").read_text(), re.MULTILINE
    )
    assert rows == [(quantity.value, measure.unit, measure.shape) for quantity, measure in MEASURES.items()]


@pytest.mark.parametrize("path", sorted(HUB.glob("*.md")), ids=lambda path: path.name)
def test_json_in_the_hub_s_pages_is_json(path: Path) -> None:
    """What is shown can be copied; `…` stands for what is left out."""
    for language, code in FENCE.findall(path.read_text()):
        if language == "json":
            json.loads(re.sub(r"\[…\]", "[]", code))


@pytest.mark.parametrize("path", sorted(HUB.glob("*.md")), ids=lambda path: path.name)
def test_the_hub_s_pages_name_endpoints_that_are_there(path: Path) -> None:
    """With the method, whatever stands for the names in it."""
    known = [(each.method, re.sub(r"{\w+}", r"[^/]+", each.path)) for each in ENDPOINTS]
    for method, found in MENTIONED.findall(path.read_text()):
        assert any(verb == method and re.fullmatch(pattern, found.rstrip(".")) for verb, pattern in known), found
