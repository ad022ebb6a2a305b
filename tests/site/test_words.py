"""The listener that every test of the site has hears each kind of text that is missing, and no other."""

from typing import Any

from homeassistant.data_entry_flow import FlowResultType, section
from homeassistant.helpers.selector import SelectSelector, SelectSelectorConfig, TextSelector
import probatio
import pytest

from custom_components.commonwatt.config_flow import CommonwattConfigFlow

from .words import Words

TEXTS: dict[str, Any] = {
    "config": {
        "step": {
            "form": {
                "title": "Form of {site}",
                "data": {"name": "Name", "how": "How"},
                "data_description": {"name": "Its name.", "how": "In which way."},
                "sections": {"more": {"data": {"size": "Size"}, "data_description": {"size": "In m."}}},
            },
            "menu": {"title": "Menu", "menu_options": {"form": "Form"}},
            "wait": {"title": "Wait"},
        },
        "error": {"bad": "Bad: {why}"},
        "abort": {"gone": "Gone: {what}"},
        "progress": {"asking": "Asking"},
    },
    "selector": {"how": {"options": {"fast": "Fast"}}},
    "issues": {
        "told": {"title": "Told", "description": "About {it}"},
        "asked": {"title": "Asked {whom}", "fix_flow": {"step": {}}},
    },
    "exceptions": {"raised": {"message": "Raised by {whom}"}},
}
FORM = {"type": FlowResultType.FORM, "step_id": "form", "errors": None, "data_schema": None}


def schema(*, how: str = "fast", name: str = "name", size: str = "size", key: str = "how") -> probatio.Schema:
    """Return a form with a field, a choice, and a section."""
    choice = SelectSelector(SelectSelectorConfig(options=[how], translation_key=key))
    inner = probatio.Schema({probatio.Required(size): TextSelector()})
    fields = {probatio.Required(name): TextSelector(), probatio.Required("how"): choice}
    return probatio.Schema(fields | {probatio.Required("more"): section(inner)})


@pytest.mark.parametrize(
    ("result", "heard"),
    [
        (FORM | {"description_placeholders": {"site": "Home"}}, []),
        (FORM, ["config.step.form.title: nothing fills {site}"]),
        (FORM | {"step_id": "ghost"}, ["config.step.ghost"]),
        (
            FORM | {"description_placeholders": {"site": "Home"}, "errors": {"base": "ghost"}},
            ["config.error.ghost"],
        ),
        (
            FORM | {"description_placeholders": {"site": "Home"}, "errors": {"base": "bad"}},
            ["config.error.bad: nothing fills {why}"],
        ),
        (FORM | {"description_placeholders": {"site": "Home"}, "data_schema": schema()}, []),
        (
            FORM | {"description_placeholders": {"site": "Home"}, "data_schema": schema(name="ghost")},
            ["config.step.form.data.ghost", "config.step.form.data_description.ghost"],
        ),
        (
            FORM | {"description_placeholders": {"site": "Home"}, "data_schema": schema(size="ghost")},
            ["config.step.form.data.ghost", "config.step.form.data_description.ghost"],
        ),
        (
            FORM | {"description_placeholders": {"site": "Home"}, "data_schema": schema(how="slow")},
            ["config.step.form.how: selector.how.options.slow"],
        ),
        (
            FORM | {"description_placeholders": {"site": "Home"}, "data_schema": schema(key="ghost")},
            ["config.step.form.how: selector.ghost.options.fast"],
        ),
        ({"type": FlowResultType.MENU, "step_id": "menu", "menu_options": ["form"]}, []),
        (
            {"type": FlowResultType.MENU, "step_id": "menu", "menu_options": ["ghost"]},
            ["config.step.menu.menu_options.ghost"],
        ),
        ({"type": FlowResultType.MENU, "step_id": "menu", "menu_options": {"any": "Said by the code"}}, []),
        ({"type": FlowResultType.ABORT, "reason": "ghost"}, ["config.abort.ghost"]),
        ({"type": FlowResultType.ABORT, "reason": "gone"}, ["config.abort.gone: nothing fills {what}"]),
        ({"type": FlowResultType.ABORT, "reason": "reauth_successful"}, []),
        ({"type": FlowResultType.SHOW_PROGRESS, "step_id": "wait", "progress_action": "asking"}, []),
        (
            {"type": FlowResultType.SHOW_PROGRESS, "step_id": "wait", "progress_action": "ghost"},
            ["config.progress.ghost"],
        ),
        ({"type": FlowResultType.CREATE_ENTRY}, []),
    ],
)
def test_a_dialogue_is_heard(result: dict[str, Any], heard: list[str]) -> None:
    """Steps, fields, choices, errors, menus, ends, and what fills them."""
    words = Words(TEXTS)
    words.heard_result(CommonwattConfigFlow(), result)
    assert words.wrong == heard


@pytest.mark.parametrize(
    ("key", "filled", "fixable", "heard"),
    [
        ("told", {"it": "x"}, False, []),
        ("told", None, False, ["issues.told.description: nothing fills {it}"]),
        ("ghost", {}, False, ["issues.ghost"]),
        ("asked", {"whom": "x"}, True, []),
        ("asked", None, True, ["issues.asked.title: nothing fills {whom}"]),
        ("asked", {"whom": "x"}, False, ["issues.asked.description"]),
    ],
)
def test_an_issue_is_heard(key: str, filled: dict[str, str] | None, heard: list[str], *, fixable: bool) -> None:
    """One that can be repaired has a dialogue in place of a description."""
    words = Words(TEXTS)
    words.heard_issue(key, filled, fixable=fixable)
    assert words.wrong == heard


@pytest.mark.parametrize(
    ("key", "filled", "heard"),
    [
        ("raised", {"whom": "x"}, []),
        ("raised", None, ["exceptions.raised.message: nothing fills {whom}"]),
        ("ghost", {}, ["exceptions.ghost.message"]),
        (None, None, ["exceptions.None.message"]),
    ],
)
def test_an_exception_is_heard(key: str | None, filled: dict[str, str] | None, heard: list[str]) -> None:
    """By its key, with everything that fills it."""
    words = Words(TEXTS)
    words.heard_exception(key, filled)
    assert words.wrong == heard
