"""Listens to everything the site says to a person during a test: no step, error, issue or exception without words."""

from collections.abc import Callable, Iterable, Iterator, Mapping
import json
from pathlib import Path
import string
from typing import Any

from homeassistant.config_entries import ConfigFlow, ConfigSubentryFlow, OptionsFlow
from homeassistant.data_entry_flow import FlowHandler, FlowManager, FlowResultType, section
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.selector import SelectSelector
import pytest

from custom_components.commonwatt.const import DOMAIN

TEXTS = Path(__file__).parents[2] / "custom_components" / "commonwatt" / "translations" / "en.json"
# Home Assistant has words of its own for these
TOLD_BY_HOME_ASSISTANT = {
    *("already_in_progress", "no_devices_found", "reauth_successful", "reconfigure_successful"),
    *("single_instance_allowed", "unknown"),
}


class Words:
    """Collects what was said to a person and is not written, or lacks a word that fills it."""

    def __init__(self, texts: Mapping[str, Any]) -> None:
        """Take the texts of the integration."""
        self.wrong: list[str] = []
        self._texts = texts

    def heard_result(self, flow: FlowHandler[Any, Any, Any], result: Mapping[str, Any]) -> None:
        """Judge what a dialogue shows."""
        if (place := self._place(flow)) is None:
            return
        where, words = place
        filled = result.get("description_placeholders") or {}
        match result["type"]:
            case FlowResultType.FORM:
                self._heard_form(where, words, result, filled)
            case FlowResultType.MENU:
                self._heard_menu(where, words, result, filled)
            case FlowResultType.ABORT if result["reason"] not in TOLD_BY_HOME_ASSISTANT:
                self._said(f"{where}.abort", words.get("abort", {}), result["reason"], filled)
            case FlowResultType.SHOW_PROGRESS:
                self._said(f"{where}.progress", words.get("progress", {}), result["progress_action"], filled)
                self._step(where, words, result["step_id"], filled)

    def heard_issue(self, key: str, filled: Mapping[str, str] | None, *, fixable: bool) -> None:
        """Judge an issue."""
        issue = self._texts["issues"].get(key)
        if issue is None:
            self.wrong.append(f"issues.{key}")
            return
        self._said(f"issues.{key}", issue, "title", filled or {})
        if not fixable:
            self._said(f"issues.{key}", issue, "description", filled or {})

    def heard_exception(self, key: str | None, filled: Mapping[str, str] | None) -> None:
        """Judge what was raised."""
        self._said(f"exceptions.{key}", self._texts["exceptions"].get(key, {}), "message", filled or {})

    def _place(self, flow: FlowHandler[Any, Any, Any]) -> tuple[str, Mapping[str, Any]] | None:
        """Return where the words of a dialogue stand; None if it is none of ours."""
        if not type(flow).__module__.startswith(f"custom_components.{DOMAIN}"):
            return None
        if isinstance(flow, ConfigSubentryFlow):
            kind = flow.handler[1]
            return f"config_subentries.{kind}", self._texts["config_subentries"].get(kind, {})
        if isinstance(flow, ConfigFlow):
            return "config", self._texts["config"]
        if isinstance(flow, OptionsFlow):
            return "options", self._texts["options"]
        issue = ir.async_get(flow.hass).async_get_issue(DOMAIN, flow.context["issue_id"])
        key = issue.translation_key if issue is not None else None
        return f"issues.{key}.fix_flow", self._texts["issues"].get(key, {}).get("fix_flow", {})

    def _step(self, where: str, words: Mapping[str, Any], step_id: str, filled: Mapping[str, str]) -> Mapping[str, Any]:
        step: Mapping[str, Any] = words.get("step", {}).get(step_id, {})
        if not step.keys() & {"title", "description"}:
            self.wrong.append(f"{where}.step.{step_id}")
        for name in ("title", "description"):
            if name in step:
                self._said(f"{where}.step.{step_id}", step, name, filled)
        return step

    def _heard_form(
        self, where: str, words: Mapping[str, Any], result: Mapping[str, Any], filled: Mapping[str, str]
    ) -> None:
        step, place = self._step(where, words, result["step_id"], filled), f"{where}.step.{result['step_id']}"
        for key in (result["errors"] or {}).values():
            self._said(f"{where}.error", words.get("error", {}), key, filled)
        for path, field, selector in fields(result["data_schema"]):
            told = step if path is None else step.get("sections", {}).get(path, {})
            for part in ("data", "data_description"):
                self._said(f"{place}.{part}", told.get(part, {}), field, filled)
            if isinstance(selector, SelectSelector):
                self._heard_choices(f"{place}.{field}", selector)

    def _heard_menu(
        self, where: str, words: Mapping[str, Any], result: Mapping[str, Any], filled: Mapping[str, str]
    ) -> None:
        step = self._step(where, words, result["step_id"], filled)
        if not isinstance(result["menu_options"], Mapping):
            for option in result["menu_options"]:
                self._said(
                    f"{where}.step.{result['step_id']}.menu_options", step.get("menu_options", {}), option, filled
                )

    def _heard_choices(self, place: str, selector: SelectSelector) -> None:
        key, options = selector.config.get("translation_key"), selector.config["options"]
        plain = [option for option in options if isinstance(option, str)]
        if key is not None:
            told = self._texts["selector"].get(key, {}).get("options", {})
            self.wrong += [f"{place}: selector.{key}.options.{option}" for option in plain if option not in told]

    def _said(self, where: str, words: Mapping[str, Any], key: str, filled: Mapping[str, str]) -> None:
        text = words.get(key)
        if not isinstance(text, str):
            self.wrong.append(f"{where}.{key}")
            return
        needed = {field for _, field, _, _ in string.Formatter().parse(text) if field}
        self.wrong += [f"{where}.{key}: nothing fills {{{field}}}" for field in sorted(needed - filled.keys())]


def fields(schema: Any) -> Iterator[tuple[str | None, str, object]]:
    """Yield every field of a form with its section and what selects its value."""
    for field, selector in (getattr(schema, "schema", None) or {}).items():
        if isinstance(selector, section):
            yield from ((str(field), name, inner) for _, name, inner in fields(selector.schema))
        else:
            yield None, str(field), selector


def listen(monkeypatch: pytest.MonkeyPatch, texts: Mapping[str, Any]) -> Words:
    """Hear everything the site says from now on."""
    words = Words(texts)
    _hear_dialogues(monkeypatch, words)
    issue, init = ir.IssueRegistry.async_get_or_create, HomeAssistantError.__init__

    def raised(self: HomeAssistantError, *args: object, **keywords: Any) -> None:
        init(self, *args, **keywords)
        if keywords.get("translation_domain") == DOMAIN:
            words.heard_exception(keywords.get("translation_key"), keywords.get("translation_placeholders"))

    def told(self: ir.IssueRegistry, domain: str, issue_id: str, **keywords: Any) -> ir.IssueEntry:
        if domain == DOMAIN:
            filled = keywords.get("translation_placeholders")
            words.heard_issue(keywords["translation_key"], filled, fixable=keywords["is_fixable"])
        return issue(self, domain, issue_id, **keywords)

    monkeypatch.setattr(HomeAssistantError, "__init__", raised)
    monkeypatch.setattr(ir.IssueRegistry, "async_get_or_create", told)
    return words


def _hear_dialogues(monkeypatch: pytest.MonkeyPatch, words: Words) -> None:
    handle: Callable[..., Any] = FlowManager._async_handle_step

    async def handled(self: FlowManager[Any, Any], flow: FlowHandler[Any, Any, Any], *args: Any) -> Any:
        result = await handle(self, flow, *args)
        words.heard_result(flow, result)
        return result

    monkeypatch.setattr(FlowManager, "_async_handle_step", handled)


def texts() -> Mapping[str, Any]:
    """Return the texts of the integration."""
    read: Mapping[str, Any] = json.loads(TEXTS.read_text())
    return read


def unsaid(words: Words, ignored: Iterable[str] = ()) -> list[str]:
    """Return what was said without words, each once."""
    return sorted(set(words.wrong) - set(ignored))
