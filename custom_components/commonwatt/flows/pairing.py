"""Pairing as a flow sees it: the key a site shows, the request it makes, and what went wrong in words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from uuid import uuid4

from homeassistant.const import CONF_URL
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.util.hass_dict import HassKey

from .. import wire
from ..const import (
    CONF_CLIENT_ID,
    CONF_CLIENT_SECRET,
    CONF_CLOUD_KEY,
    CONF_COMMUNITY,
    CONF_KEY_ID,
    CONF_SITE,
    DOMAIN,
    FOLDER,
    LOGGER,
    OUTBOX_FILE,
)
from ..errors import CloudRefused, CloudUnreachable, KeyFileError
from ..link import SiteKey, pair

KEYS_IN_FLOWS: HassKey[set[str]] = HassKey(f"{DOMAIN}_keys_in_flows")
MICRO_DEGREES = 1_000_000
PRIVATE = 0o700
WAIT_S_UNTOLD = 900  # after too many wrong codes, if the cloud does not say how long


@dataclass(slots=True)
class FormErrors:
    """What a form shows: translation keys of errors by field, and the words that fill them."""

    errors: dict[str, str] = field(default_factory=dict)
    placeholders: dict[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.errors)


@dataclass(frozen=True, slots=True)
class Joining:
    """What a site says of itself when it joins."""

    url: str
    code: str
    name: str
    send_place: bool


async def async_pair(
    hass: HomeAssistant, key: SiteKey, joining: Joining, found: FormErrors
) -> Mapping[str, str] | None:
    """Join a cloud; return what the entry keeps of it, or None with the reason in `found`."""
    place = joining.send_place
    try:
        paired = await pair(
            async_get_clientsession(hass),
            joining.url,
            key,
            code=joining.code,
            name=joining.name,
            time_zone=hass.config.time_zone,
            latitude_e6=round(hass.config.latitude * MICRO_DEGREES) if place else None,
            longitude_e6=round(hass.config.longitude * MICRO_DEGREES) if place else None,
        )
    except (CloudUnreachable, CloudRefused) as error:
        LOGGER.debug("Pairing failed: %s", error)
        found.errors["base"] = fault_key(error)
        found.placeholders |= fault_words(error)
        return None
    return {
        CONF_URL: joining.url,
        CONF_KEY_ID: key.kid,
        CONF_SITE: paired.site,
        CONF_COMMUNITY: paired.community,
        CONF_CLIENT_ID: paired.client_id,
        CONF_CLIENT_SECRET: paired.client_secret,
        CONF_CLOUD_KEY: paired.cloud_key,
    }


def fault_key(error: CloudUnreachable | CloudRefused) -> str:
    """Return the translation key that says what a cloud did instead of pairing."""
    match error:
        case CloudUnreachable():
            return "not_a_cloud" if isinstance(error.__cause__, wire.WireError) else "cannot_connect"
        case CloudRefused(status=429):
            return "too_many_tries"
        case CloudRefused(problem_type=""):
            return "not_a_cloud"
        case CloudRefused(status=403):
            return "code_refused"
        case CloudRefused(status=409):
            return "code_of_other_community"
        case _:
            return "refused"


def fault_words(error: CloudUnreachable | CloudRefused) -> dict[str, str]:
    """Return the words that fill an error's text: how long to wait, what the cloud said."""
    wait_s = WAIT_S_UNTOLD if error.retry_after_s is None else error.retry_after_s
    return {"minutes": str(max(1, ceil(wait_s / 60))), "detail": error.detail}


async def async_claim_key(hass: HomeAssistant, used: set[str]) -> SiteKey:
    """Return a site key for a new site: one that an abandoned dialogue left behind, or a new one.

    A code works once, with the key it was first shown with. If the cloud's answer to it was lost, the same key can ask
    again, so a key is not thrown away with the dialogue that made it.
    """
    claimed = hass.data.setdefault(KEYS_IN_FLOWS, set())
    key = await hass.async_add_executor_job(_unclaimed_or_new, Path(hass.config.path(FOLDER)), used | claimed)
    claimed.add(key.kid)
    return key


def release_key(hass: HomeAssistant, key: SiteKey) -> None:
    """Let another dialogue use the key of one that has ended."""
    hass.data.setdefault(KEYS_IN_FLOWS, set()).discard(key.kid)


def _unclaimed_or_new(folder: Path, used: set[str]) -> SiteKey:
    try:
        folder.mkdir(mode=PRIVATE, exist_ok=True)
        folder.chmod(PRIVATE)
        for candidate in sorted(folder.iterdir()):
            if candidate.name in used or (candidate / OUTBOX_FILE).exists():
                continue
            if (key := _key_named(candidate)) is not None:
                return key
        fresh = folder / f".new-{uuid4().hex}"
        key = SiteKey.create(fresh)
        fresh.rename(folder / key.kid)
    except OSError as error:
        raise KeyFileError(f"cannot be written: {error.strerror}") from error
    return key


def _key_named(folder: Path) -> SiteKey | None:
    """Return the key of a folder that bears its key's name; any other folder is none of ours to use."""
    try:
        key = SiteKey.load(folder)
    except KeyFileError:
        return None
    return key if key.kid == folder.name else None
