"""The texts of a language: each in its place, each a text that can be shown and translated."""

from collections.abc import Iterator
from pathlib import Path
import re
import string
from typing import Any

from homeassistant.generated.languages import LANGUAGES
from homeassistant.helpers import config_validation as cv
import probatio

from .reading import against, leaves, read_json

KEY = re.compile(r"(?!.+[_-]{2})(?![_-])[a-z0-9_-]+(?<![_-])")
ADDRESS = re.compile(r"(?:(?:ftps?|scp|https?|mqtts?|socket|socks5)://|www\.)[a-z0-9]+", re.IGNORECASE)
QUOTED_PLACEHOLDER = re.compile(r"'{\w+}'")


def _text(value: Any, *, filled: bool = True) -> str:
    """Take a text as the frontend can show it; `filled` says whether something fills its placeholders."""
    text = str(cv.string_with_no_html(value))
    if not isinstance(value, str) or not text or text != text.strip():
        raise probatio.Invalid("must be a text without blanks around it")
    if "[%key:" in text:
        raise probatio.Invalid("refers to another text, which only Home Assistant's own build can resolve")
    if ADDRESS.search(text):
        raise probatio.Invalid("holds an address: fill it in by a placeholder")
    if QUOTED_PLACEHOLDER.search(text):
        raise probatio.Invalid("has a placeholder in single quotes, where nothing is filled in")
    for _, field, _, _ in string.Formatter().parse(text):
        if field is not None and not (filled and field.isidentifier()):
            raise probatio.Invalid(f"has a placeholder {{{field}}} that nothing fills")
    return text


def _plain(value: Any) -> str:
    return _text(value, filled=False)


def _key(value: Any) -> str:
    if not isinstance(value, str) or not KEY.fullmatch(value):
        raise probatio.Invalid(f"'{value}' is no key: lower case letters, digits, - and _")
    return value


def _keyed(value: Any) -> dict[Any, Any]:
    return {_key: value}


SECTION = {
    probatio.Optional("name"): _text,
    probatio.Optional("description"): _text,
    probatio.Optional("data"): {str: _text},
    probatio.Optional("data_description"): {str: _text},
}
STEP = {
    probatio.Optional("title"): _text,
    probatio.Optional("description"): _text,
    probatio.Optional("data"): {str: _text},
    probatio.Optional("data_description"): {str: _text},
    probatio.Optional("menu_options"): {str: _text},
    probatio.Optional("menu_option_descriptions"): {str: _text},
    probatio.Optional("submit"): _text,
    probatio.Optional("sections"): {str: SECTION},
}


def _described(flow: dict[str, Any]) -> dict[str, Any]:
    """Refuse a description of a field that is not there, in a step and in its sections."""
    for step_id, step in flow["step"].items():
        for part in (step, *step.get("sections", {}).values()):
            if extra := part.get("data_description", {}).keys() - part.get("data", {}).keys():
                raise probatio.Invalid(f"step {step_id} describes fields it does not have: {', '.join(sorted(extra))}")
    return flow


FLOW: dict[Any, Any] = {
    probatio.Optional("flow_title"): _text,
    probatio.Required("step"): {str: STEP},
    probatio.Optional("error"): {str: _text},
    probatio.Optional("abort"): {str: _text},
    probatio.Optional("progress"): {str: _text},
    probatio.Optional("create_entry"): {str: _text},
}
ENTRY_FLOW = probatio.All(FLOW | {probatio.Optional("initiate_flow"): {probatio.Required("user"): _text}}, _described)
SUBENTRY_FLOW = probatio.All(
    FLOW
    | {
        probatio.Required("entry_type"): _text,
        probatio.Required("initiate_flow"): {probatio.Required("user"): _text, str: _text},
    },
    _described,
)
STATES = _keyed(_plain)
ENTITY = {
    probatio.Optional("name"): _text,
    probatio.Optional("state"): STATES,
    probatio.Optional("state_attributes"): _keyed(
        {probatio.Optional("name"): _plain, probatio.Optional("state"): STATES}
    ),
    probatio.Optional("unit_of_measurement"): _plain,
}
ISSUE = probatio.Any(
    {probatio.Required("title"): _text, probatio.Required("description"): _text},
    {probatio.Required("title"): _text, probatio.Required("fix_flow"): probatio.All(FLOW, _described)},
)
FIELD = {
    probatio.Required("name"): _text,
    probatio.Required("description"): _text,
    probatio.Optional("example"): _text,
}
CALLED = {
    probatio.Required("name"): _text,
    probatio.Required("description"): _text,
    probatio.Optional("fields"): _keyed(FIELD),
    probatio.Optional("sections"): _keyed({probatio.Required("name"): _text, probatio.Optional("description"): _text}),
}
SELECTOR = {
    probatio.Optional("choices"): _keyed(_text),
    probatio.Optional("options"): _keyed(_text),
    probatio.Optional("unit_of_measurement"): _keyed(_text),
    probatio.Optional("fields"): _keyed(probatio.Any(_text, FIELD)),
}
SCHEMA = probatio.Schema(
    {
        probatio.Optional("title"): _text,
        probatio.Optional("config"): ENTRY_FLOW,
        probatio.Optional("options"): probatio.All(FLOW, _described),
        probatio.Optional("config_subentries"): {cv.slug: SUBENTRY_FLOW},
        probatio.Optional("selector"): {cv.slug: SELECTOR},
        probatio.Optional("device"): _keyed({probatio.Optional("name"): _text}),
        probatio.Optional("entity"): {cv.slug: _keyed(ENTITY)},
        probatio.Optional("exceptions"): {cv.slug: {probatio.Required("message"): _text}},
        probatio.Optional("issues"): {str: ISSUE},
        probatio.Optional("services"): _keyed(CALLED),
        probatio.Optional("triggers"): _keyed(CALLED),
        probatio.Optional("conditions"): _keyed(CALLED),
        probatio.Optional("system_health"): {probatio.Optional("info"): _keyed(_text)},
        probatio.Optional("common"): {cv.slug: _text},
    }
)


def complaints(folder: Path) -> list[str]:
    """Return what is wrong with the texts of an integration, in every language."""
    found = [] if not (folder / "strings.json").exists() else ["strings.json: a custom integration has none"]
    english = read_json(folder / "translations" / "en.json")
    if english is None:
        return [*found, "translations/en.json: there is none"]
    for path in sorted((folder / "translations").glob("*.json")):
        name, texts = f"translations/{path.name}", read_json(path)
        found += [] if path.stem in LANGUAGES else [f"{name}: Home Assistant knows no language {path.stem}"]
        found += against(SCHEMA, texts, name)
        found += [f"{name}: {words}" for words in _unlike(dict(leaves(english)), dict(leaves(texts)))]
    return found


def _unlike(english: dict[str, str], other: dict[str, str]) -> Iterator[str]:
    """Say where a language does not say the same things, or fills in other words."""
    for path in sorted(english.keys() - other.keys()):
        yield f"{path} is not translated"
    for path in sorted(other.keys() - english.keys()):
        yield f"{path} is not in English"
    for path in sorted(english.keys() & other.keys()):
        if _placeholders(english[path]) != _placeholders(other[path]):
            yield f"{path} fills in other words than the English text"


def _placeholders(text: str) -> set[str]:
    return set(re.findall(r"{(\w+)}", text))
