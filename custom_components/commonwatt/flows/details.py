"""Name, owner, and what a device hangs below: the form's choices, and the form taken in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_NAME
from homeassistant.core import HomeAssistant
from homeassistant.util import slugify
import probatio

from .. import wire
from ..const import (
    CONF_BREAKER_ENTITY,
    CONF_ESSENTIAL,
    CONF_OWNER,
    CONF_OWNER_NAME,
    CONF_RATED_POWER_W,
    CONF_UPSTREAM,
    SECTION_MORE_OPTIONS,
    SUBENTRY_CABLE,
    SUBENTRY_METER,
    UPSTREAM_GRID,
)
from ..devices.port import Kind
from ..site import TapConfig, below, is_paired, tap_configs
from . import schemas
from .breaker import check_breaker, cut_off_form
from .pairing import FormErrors
from .words import WordError, clean_name

if TYPE_CHECKING:
    from ..coordinator import SiteCoordinator


@dataclass(frozen=True, slots=True)
class About:
    """What a form asks about: a device of this kind at a running site; `own` None for one that is being added."""

    hass: HomeAssistant
    site: SiteCoordinator
    entry: ConfigEntry[Any]
    kind: Kind
    own: TapConfig | None

    def schema(self) -> probatio.Schema:
        """Return the form; a tap of a site with a cloud changes hands by a transfer only: its owner is not asked."""
        paired = is_paired(self.entry.data)
        stands = paired and self.own is not None and self.kind != SUBENTRY_CABLE
        return schemas.details(
            None if stands else self.site.settings.owners,
            self.site.settings.main_owner,
            new_owners=not paired,
            kind=self.kind,
            upstream=self._upstream(tap_configs(self.entry)),
            # a cable is left on an island by the removal of the tap it was plugged in at
            island=self.kind != SUBENTRY_CABLE or (self.own is not None and self.own.parent == wire.ISLAND),
        )

    def take(self, user_input: Mapping[str, Any], found: FormErrors) -> dict[str, Any]:
        """Return what the form said as a subentry holds it; what cannot be taken goes into `found`."""
        taps = tap_configs(self.entry)
        upstream: str = UPSTREAM_GRID if self.kind == SUBENTRY_METER else user_input[CONF_UPSTREAM]
        if upstream not in (UPSTREAM_GRID, wire.ISLAND, *self._upstream(taps)):
            found.errors[CONF_UPSTREAM] = "loop" if upstream in taps else "upstream_gone"
        try:
            clean_name(user_input[CONF_NAME])
        except WordError as error:
            found.errors[CONF_NAME] = error.key
        details = {CONF_UPSTREAM: upstream, CONF_RATED_POWER_W: user_input.get(CONF_RATED_POWER_W)}
        if (more := user_input.get(SECTION_MORE_OPTIONS)) is not None:
            details[CONF_BREAKER_ENTITY] = check_breaker(self.hass, more.get(CONF_BREAKER_ENTITY), found)
            details[CONF_ESSENTIAL] = more.get(CONF_ESSENTIAL, False)
        return details | self._take_owner(user_input, found)

    def _take_owner(self, user_input: Mapping[str, Any], found: FormErrors) -> dict[str, str]:
        if CONF_OWNER not in user_input:
            return {}
        if is_paired(self.entry.data):
            return {CONF_OWNER: user_input[CONF_OWNER]}
        try:
            owner, name = named_owner(self.site.settings.owners, user_input[CONF_OWNER])
        except WordError as error:
            found.errors[CONF_OWNER] = error.key
            return {}
        return {CONF_OWNER: owner, CONF_OWNER_NAME: name}

    def form(self) -> dict[str, Any]:
        """Return what the form shows of a device there is."""
        own = self.own
        assert own is not None
        form: dict[str, Any] = {
            CONF_NAME: own.name,
            CONF_OWNER: own.owner,
            CONF_UPSTREAM: own.parent or UPSTREAM_GRID,
            SECTION_MORE_OPTIONS: cut_off_form(self.hass, own),
        }
        return form | ({CONF_RATED_POWER_W: own.rated_power_w} if own.rated_power_w else {})

    def _upstream(self, taps: Mapping[str, TapConfig]) -> dict[str, str]:
        """Return the names of what the device may hang below: no cable, nor what it feeds itself."""
        parents = {tap.tap: tap.parent for tap in taps.values()}
        closed = set() if self.own is None else below(self.own.tap, parents)
        return {tap.tap: tap.name for tap in taps.values() if tap.tap not in closed and tap.kind != SUBENTRY_CABLE}


def named_owner(owners: Mapping[str, str], text: str) -> tuple[str, str]:
    """Return (id, name) of the owner chosen or newly named; the same name in other letters is the same owner."""
    if text in owners:
        return text, owners[text]
    name = clean_name(text)
    for owner, known in owners.items():
        if known.casefold() == name.casefold():
            return owner, known
    owner = slugify(name)[:60]
    while owner in owners:
        owner += "_2"
    return owner, name
