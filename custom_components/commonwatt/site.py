"""What the config entry says, as values: the site, who owns in it, its taps and what hangs below what."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
import re
from typing import Any, cast

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.core import HomeAssistant, callback

from . import wire
from .const import (
    CONF_BREAKER_ENTITY,
    CONF_ESSENTIAL,
    CONF_INTERVAL_SECONDS,
    CONF_LAST_TAP,
    CONF_MAIN_OWNER,
    CONF_MAIN_OWNER_NAME,
    CONF_OWNER,
    CONF_OWNER_NAME,
    CONF_RATED_POWER_W,
    CONF_SITE,
    CONF_SOURCE,
    CONF_TAP,
    CONF_UPSTREAM,
    LOGGER,
    NAME_LENGTH_MAX,
    SUBENTRY_CABLE,
    SUBENTRY_METER,
    UPSTREAM_GRID,
)
from .devices.port import Kind
from .sources import Source, source_of

TAP_ID = re.compile(r"T([1-9][0-9]{0,8})")


@dataclass(frozen=True, slots=True)
class TapConfig:
    """One device at a tap as its subentry describes it; `parent` as on the wire: a tap, `island`, or None for the grid.

    A cable is no tap of the tree: its parent is the tap whose socket it is plugged in at.

    `breaker_entity` is a switch (registry id or entity id) that a person chose; an `essential` tap is never cut off.
    """

    tap: str
    subentry_id: str
    kind: Kind
    name: str
    owner: str
    owner_name: str | None
    parent: str | None
    rated_power_w: int | None
    source: Source
    breaker_entity: str | None = None
    essential: bool = False


@dataclass(frozen=True, slots=True)
class SiteSettings:
    """Who owns and how long an interval is, from the cloud or, without one, from the entry itself."""

    interval_seconds: int
    time_scale: int
    main_owner: str
    owners: Mapping[str, str]
    currency: str | None = None
    points_per_unit: int | None = None

    def owner_or_main(self, owner: str) -> str:
        """Return the owner, or the main owner in place of one nobody knows."""
        return owner if owner in self.owners else self.main_owner


def is_paired(data: Mapping[str, Any]) -> bool:
    """Tell whether an entry belongs to a cloud."""
    return CONF_SITE in data


def settings_of_cloud(settings: wire.Settings) -> SiteSettings:
    """Return the cloud's settings in the site's terms; the main owner is always among the owners."""
    owners = dict(settings.owners)
    owners.setdefault(settings.main_owner, settings.main_owner)
    return SiteSettings(
        interval_seconds=settings.interval_seconds,
        time_scale=settings.time_scale,
        main_owner=settings.main_owner,
        owners=owners,
        currency=settings.currency,
        points_per_unit=settings.points_per_unit,
    )


def settings_of_entry(data: Mapping[str, Any], taps: Iterable[TapConfig]) -> SiteSettings:
    """Return the settings of a site without a cloud: every owner named at a tap is an owner."""
    owners = {tap.owner: tap.owner_name or tap.owner for tap in taps}
    main_owner: str = data[CONF_MAIN_OWNER]
    return SiteSettings(
        interval_seconds=data[CONF_INTERVAL_SECONDS],
        time_scale=1,
        main_owner=main_owner,
        owners=owners | {main_owner: data[CONF_MAIN_OWNER_NAME]},
    )


def tap_configs(entry: ConfigEntry[Any]) -> dict[str, TapConfig]:
    """Return the taps of an entry by id, meters and earlier taps first."""
    taps = [tap_config(subentry) for subentry in entry.subentries.values()]
    return {tap.tap: tap for tap in sorted(taps, key=lambda tap: (tap_number(tap.tap), tap.tap))}


def tap_config(subentry: ConfigSubentry) -> TapConfig:
    """Read one subentry."""
    data = subentry.data
    upstream: str = data[CONF_UPSTREAM]
    return TapConfig(
        tap=data[CONF_TAP],
        subentry_id=subentry.subentry_id,
        kind=cast("Kind", subentry.subentry_type),
        name=subentry.title,
        owner=data[CONF_OWNER],
        owner_name=data.get(CONF_OWNER_NAME),
        parent=None if upstream == UPSTREAM_GRID else upstream,
        rated_power_w=data.get(CONF_RATED_POWER_W),
        source=source_of(data[CONF_SOURCE]),
        breaker_entity=data.get(CONF_BREAKER_ENTITY),
        essential=data.get(CONF_ESSENTIAL, False),
    )


def tap_number(tap: str) -> int:
    """Return the number in a tap id this site gave, 0 for any other."""
    match = TAP_ID.fullmatch(tap)
    return int(match.group(1)) if match else 0


def next_tap_id(entry: ConfigEntry[Any]) -> str:
    """Return an id no tap of this site ever had: statements name taps for years, so ids are not used again."""
    return f"T{_last_tap(entry) + 1}"


@callback
def remember_taps(hass: HomeAssistant, entry: ConfigEntry[Any]) -> None:
    """Note the highest tap number given, to know it when the tap is gone."""
    if (last := _last_tap(entry)) != entry.data.get(CONF_LAST_TAP, 0):
        hass.config_entries.async_update_entry(entry, data={**entry.data, CONF_LAST_TAP: last})


def _last_tap(entry: ConfigEntry[Any]) -> int:
    given = [tap_number(subentry.data[CONF_TAP]) for subentry in entry.subentries.values()]
    return max([int(entry.data.get(CONF_LAST_TAP, 0)), *given])


def tree_taps(taps: Mapping[str, TapConfig], settings: SiteSettings) -> dict[str, wire.TreeTap]:
    """Return the tap tree as it goes over the wire; a tap of an owner nobody knows counts for the main owner."""
    return {
        tap.tap: wire.TreeTap(settings.owner_or_main(tap.owner), tap.parent, wire_name(tap.name), tap.rated_power_w)
        for tap in taps.values()
        if tap.kind != SUBENTRY_CABLE
    }


def wire_name(name: str) -> str | None:
    """Return as much of a name as the wire carries: a title may be changed to anything, a joined emoji for one."""
    return "".join(mark for mark in name if mark.isprintable()).strip()[:NAME_LENGTH_MAX].strip() or None


def below(tap: str, parents: Mapping[str, str | None]) -> set[str]:
    """Return a tap and every tap that hangs below it: what it must never be hung below."""
    found = {tap}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def rehung(
    parents: Mapping[str, str | None], former: Mapping[str, str | None], root: str | None
) -> dict[str, str | None]:
    """Return the new parent of every tap whose parent is gone: what the parent itself hung below, as `former` knows.

    Below a parent that nobody remembers it hangs below `root`, the site's meter, whose register already counts it; as
    a second root its energy would be taken from the grid twice.
    """
    moved: dict[str, str | None] = {}
    for tap, parent in parents.items():
        heir, passed = parent, set[str | None]()
        while heir is not None and heir != wire.ISLAND and heir not in parents:
            passed.add(heir)
            above = former.get(heir, root)
            heir = root if above in passed else above
        if heir != parent:
            moved[tap] = None if heir == tap else heir
    return moved


@callback
def rehang_orphans(hass: HomeAssistant, entry: ConfigEntry[Any], former: Mapping[str, str | None]) -> bool:
    """Hang the taps below a removed one below what is above it; return whether there were any."""
    taps = tap_configs(entry)
    root = next((tap.tap for tap in taps.values() if tap.kind == SUBENTRY_METER), None)
    moved = rehung({tap.tap: tap.parent for tap in taps.values()}, former, root)
    for tap, parent in moved.items():
        LOGGER.info("%s hangs below %s now", taps[tap].name, parent or UPSTREAM_GRID)
        subentry = entry.subentries[taps[tap].subentry_id]
        data = {**subentry.data, CONF_UPSTREAM: parent or UPSTREAM_GRID}
        hass.config_entries.async_update_subentry(entry, subentry, data=data)
    return bool(moved)
