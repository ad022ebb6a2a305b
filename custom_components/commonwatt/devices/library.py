"""The library of register profiles: those that are shipped, and those a person put into the configuration folder."""

from collections.abc import Mapping
import logging
from pathlib import Path

from homeassistant.core import HomeAssistant
from homeassistant.util.hass_dict import HassKey

from .profile import Profile, load_profiles, read_profile

LOGGER = logging.getLogger(__name__)

OWN_FOLDER = "commonwatt_profiles"  # in the configuration folder; what lies in the integration's own is lost by updates
OWN_MAX = 100  # files; more is another folder than this
LIBRARY: HassKey[Mapping[str, Profile]] = HassKey("commonwatt_profiles")


async def async_profiles(hass: HomeAssistant) -> Mapping[str, Profile]:
    """Return every register profile by its key; files are read once, so a new one is there after a restart."""
    if (library := hass.data.get(LIBRARY)) is None:
        folder = Path(hass.config.path(OWN_FOLDER))
        library = hass.data[LIBRARY] = await hass.async_add_executor_job(_library, folder)
    return library


def _library(folder: Path) -> Mapping[str, Profile]:
    profiles = dict(load_profiles())
    for path in sorted(folder.glob("*.json"))[:OWN_MAX]:
        if path.stem in profiles:
            LOGGER.warning("%s is left out: there is a profile %s already", path, path.stem)
            continue
        try:
            profiles[path.stem] = read_profile(path)
        except (OSError, ValueError) as error:
            LOGGER.warning("%s is left out: %s", path, error)
    return profiles
