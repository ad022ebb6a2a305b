"""Repairs about a cable: the meter shows other energy, it may not do all it could, or nobody has registered it."""

from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import DOMAIN
from .site import TapConfig
from .v2g.agreement import Agreement

MISMATCH: Final = "cable_mismatch"
DENIED: Final = "cable_denied"
UNREGISTERED: Final = "cable_unregistered"

# each cause is put in words of its own, with what can be done about it
DENIED_BY: Final = {
    "mismatch": "cable_denied_mismatch",
    "utility": "cable_denied_utility",
    "place": "cable_denied_place",
    "overload": "cable_denied_overload",
    "unknown-cable": "cable_denied_unknown_cable",
    "other-key": "cable_denied_other_key",
    "stolen": "cable_denied_stolen",
    "revoked": "cable_denied_revoked",
    "two-places": "cable_denied_two_places",
    "operator": "cable_denied_operator",
}


@callback
def show_mismatch(
    hass: HomeAssistant, entry: ConfigEntry[Any], tap: TapConfig, agreement: Agreement, moved_wh: int
) -> None:
    """Show what the meter measured, and what it should have."""
    words = {
        "meter": _wh(agreement.meter_wh),
        "expected": _wh(agreement.expected_wh),
        "difference": _wh(agreement.difference_wh),
        "tolerance": _wh(agreement.tolerance_wh),
        "energy": _wh(moved_wh),
    }
    _show(hass, entry, tap, (MISMATCH, MISMATCH), words)


@callback
def clear_mismatch(hass: HomeAssistant, entry_id: str, tap: str) -> None:
    """Show no mismatch of a cable any more."""
    ir.async_delete_issue(hass, DOMAIN, issue_of(MISMATCH, entry_id, tap))


@callback
def tell_denied(hass: HomeAssistant, entry: ConfigEntry[Any], tap: TapConfig, cause: str, *, said: bool) -> None:
    """Show why a cable may not do all it could, for as long as that is so."""
    if said:
        _show(hass, entry, tap, (DENIED, DENIED_BY[cause]), {})
    else:
        ir.async_delete_issue(hass, DOMAIN, issue_of(DENIED, entry.entry_id, tap.tap))


@callback
def tell_unregistered(hass: HomeAssistant, entry: ConfigEntry[Any], tap: TapConfig, *, said: bool) -> None:
    """Offer to register a cable, for as long as nobody has registered it."""
    if said:
        _show(hass, entry, tap, (UNREGISTERED, UNREGISTERED), {})
    else:
        ir.async_delete_issue(hass, DOMAIN, issue_of(UNREGISTERED, entry.entry_id, tap.tap))


def issue_of(kind: str, entry_id: str, tap: str) -> str:
    """Return the id of the issue about a cable."""
    return f"{kind}_{entry_id}_{tap}"


def _show(
    hass: HomeAssistant,
    entry: ConfigEntry[Any],
    tap: TapConfig,
    about: tuple[str, str],
    words: dict[str, str],
) -> None:
    kind, key = about
    ir.async_create_issue(
        hass,
        DOMAIN,
        issue_of(kind, entry.entry_id, tap.tap),
        data={"entry_id": entry.entry_id, "tap": tap.tap},
        is_fixable=kind == UNREGISTERED,
        severity=ir.IssueSeverity.WARNING,
        translation_key=key,
        translation_placeholders={"cable": tap.name, "site": entry.title, **words},
    )


def _wh(energy_wh: int | None) -> str:
    return "?" if energy_wh is None else f"{energy_wh} Wh"
