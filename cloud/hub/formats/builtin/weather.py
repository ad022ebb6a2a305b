"""Weather as services tell it hour by hour: lists of times and values side by side, as Open-Meteo does. Pure."""

from typing import Any

from cloud.hub.formats.compiled import compiled
from cloud.hub.formats.definition import Definition

HOURLY: dict[str, tuple[str, str, str]] = {
    "temperature": ("temperature_2m", "temperature_2m", "°C"),
    "humidity": ("relative_humidity_2m", "relativehumidity_2m", "%"),
    "irradiance": ("shortwave_radiation", "shortwave_radiation", "W/m²"),
    "wind_speed": ("wind_speed_10m", "windspeed_10m", "km/h"),
    "cloud_cover": ("cloud_cover", "cloudcover", "%"),
    "precipitation": ("precipitation", "precipitation", "mm"),
}
"""What a quantity is called there, now and formerly, and its unit where the message names none."""

TIME = {"path": "time", "offset_path": "utc_offset_seconds"}


def _path(lists: str, now: str, before: str) -> str:
    return f"{lists}.{now}" if now == before else f"{lists}.{now} || {lists}.{before}"


def _value(quantity: str, now: str, before: str, unit: str) -> dict[str, Any]:
    found = {"path": _path("hourly_units", now, before), "of": "message", "default": unit}
    value: dict[str, Any] = {"quantity": quantity, "path": quantity, "unit": found}
    if quantity == "precipitation":  # the sum of the hour before
        value |= {"seconds": 3600, "time": TIME | {"label": "end"}}
    return value


OPEN_METEO = Definition.model_validate(
    {
        "name": "Hourly weather, as Open-Meteo tells it",
        "find": [{"path": "hourly.time && hourly_units"}],
        "parse": {
            "kind": "json",
            "zip": {"time": "hourly.time"}
            | {quantity: _path("hourly", now, before) for quantity, (now, before, _) in HOURLY.items()},
        },
        "time": TIME,
        "values": [_value(quantity, *names) for quantity, names in HOURLY.items()],
        "ahead": True,
    }
)

FORMATS = (compiled("open-meteo", 1, OPEN_METEO, built_in=True),)
