"""Repairs: what only a person can put right, said with what to do."""

from collections.abc import Container, Mapping, Sequence
from typing import Literal, get_args

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import DOMAIN

type IssueKey = Literal[
    "balance_low",
    "batch_refused",
    "breaker_failed",
    "clock_ahead",
    "clock_not_set",
    "clock_offset",
    "clock_set_back",
    "cloud_unreachable",
    "cut_off",
    "device_silent",
    "entity_disabled",
    "entity_gone",
    "entity_not_provided",
    "entity_wrong_unit",
    "key_lost",
    "link_settings_in_use",
    "outbox_failed",
    "owner_unknown",
    "price_altered",
    "profile_unknown",
    "register_stuck",
    "tree_refused",
    "yaml_hub",
]

ERRORS: frozenset[IssueKey] = frozenset({"batch_refused", "key_lost", "outbox_failed", "tree_refused"})


@callback
def raise_issue(
    hass: HomeAssistant, entry_id: str, key: IssueKey, placeholders: Mapping[str, str] | None = None
) -> None:
    """Show an issue of a site until it is cleared; raised again it is the same one."""
    ir.async_create_issue(
        hass,
        DOMAIN,
        issue_id(entry_id, key),
        data={"entry_id": entry_id},
        is_fixable=False,
        severity=ir.IssueSeverity.ERROR if key in ERRORS else ir.IssueSeverity.WARNING,
        translation_key=key,
        translation_placeholders=dict(placeholders or {}),
    )


@callback
def tell_if(hass: HomeAssistant, entry_id: str, key: IssueKey, *, said: bool, **words: str) -> None:
    """Show an issue while it holds, and no longer."""
    if said:
        raise_issue(hass, entry_id, key, words)
    else:
        clear_issue(hass, entry_id, key)


@callback
def show_issue(hass: HomeAssistant, entry_id: str, key: IssueKey, taps: Sequence[str], **words: str) -> None:
    """Show an issue that concerns these taps, by name; with none of them there is none."""
    if taps:
        raise_issue(hass, entry_id, key, {"taps": ", ".join(taps), **words})
    else:
        clear_issue(hass, entry_id, key)


@callback
def clear_issue(hass: HomeAssistant, entry_id: str, *keys: IssueKey) -> None:
    """Take issues of a site away, if they are there."""
    for key in keys:
        ir.async_delete_issue(hass, DOMAIN, issue_id(entry_id, key))


def issue_id(entry_id: str, key: IssueKey) -> str:
    """Return the id of a site's issue."""
    return f"{key}_{entry_id}"


@callback
def clear_issues(hass: HomeAssistant, entry_id: str) -> None:
    """Take every issue of a site away."""
    clear_issue(hass, entry_id, *get_args(IssueKey.__value__))


@callback
def clear_gone(hass: HomeAssistant, entry_id: str, taps: Container[str]) -> None:
    """Take every issue away that is about a tap which the site no longer has."""
    for (domain, issue), about in list(ir.async_get(hass).issues.items()):
        data = about.data or {}
        if domain == DOMAIN and data.get("entry_id") == entry_id and "tap" in data and data["tap"] not in taps:
            ir.async_delete_issue(hass, domain, issue)
