"""Finds the drivers: every file in the folder, each by itself, so that a broken one stops no other."""

from dataclasses import dataclass
from functools import cache
import importlib
import logging
import pkgutil
from types import ModuleType

from cloud.hub import drivers

from .driver import Driver

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """The drivers by name, and the files that are none, each with why."""

    drivers: dict[str, Driver]
    broken: dict[str, str]


@cache
def known() -> Found:
    """Return the drivers of this process, looked for once."""
    return found_in(drivers)


def found_in(package: ModuleType) -> Found:
    """Return the drivers in a package's folders; a file that cannot be one is logged and named."""
    found = Found({}, {})
    for item in sorted(pkgutil.iter_modules(package.__path__), key=lambda item: item.name):
        try:
            driver = getattr(importlib.import_module(f"{package.__name__}.{item.name}"), "DRIVER", None)
        except Exception as error:
            LOGGER.exception("a driver cannot be loaded", extra={"driver": item.name})
            found.broken[item.name] = f"cannot be loaded: {type(error).__name__}"
            continue
        if not isinstance(driver, Driver):
            found.broken[item.name] = "has no DRIVER"
        elif driver.name in found.drivers:
            found.broken[item.name] = f"another file has a driver named {driver.name}"
        else:
            found.drivers[driver.name] = driver
            continue
        LOGGER.error("a file is no driver", extra={"driver": item.name, "why": found.broken[item.name]})
    return found
