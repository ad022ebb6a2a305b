"""What a reading of the hub can be of: one word for each quantity, one unit, whole numbers. Pure.

Power, current and energy are positive towards the consumer (import), as at every tap. A value is a whole number of the
unit that stands here: a voltage of 230.1 V is 230100 mV. Nothing is a float, and nothing is rounded twice.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from cloud.wire.strict import INTEGER_MAX

VALUE_MAX = INTEGER_MAX  # on either side of zero

type Shape = Literal["register", "interval", "instant"]


class Quantity(StrEnum):
    """The word of a quantity, the same in formats, queries, answers and tables."""

    IMPORT_REGISTER = "import_register"  # a meter's counter
    EXPORT_REGISTER = "export_register"
    IMPORT = "import"  # energy over the reading's own `seconds`
    EXPORT = "export"
    REACTIVE_REGISTER = "reactive_register"
    POWER = "power"
    REACTIVE_POWER = "reactive_power"
    APPARENT_POWER = "apparent_power"
    VOLTAGE = "voltage"
    CURRENT = "current"
    POWER_FACTOR = "power_factor"
    FREQUENCY = "frequency"
    SOC = "soc"
    TEMPERATURE = "temperature"
    HUMIDITY = "humidity"
    IRRADIANCE = "irradiance"
    WIND_SPEED = "wind_speed"
    CLOUD_COVER = "cloud_cover"
    PRECIPITATION = "precipitation"
    PRICE = "price"
    BUY_PRICE = "buy_price"
    SELL_PRICE = "sell_price"
    CARBON = "carbon"


@dataclass(frozen=True, slots=True)
class Measure:
    """The unit of a quantity's whole numbers, and what shape its readings have.

    A `register` counts up and is read at an instant; an `interval` is about the reading's `seconds` from its
    measurement time on; an `instant` is true at its measurement time.
    """

    unit: str
    shape: Shape


MEASURES: dict[Quantity, Measure] = {
    Quantity.IMPORT_REGISTER: Measure("Wh", "register"),
    Quantity.EXPORT_REGISTER: Measure("Wh", "register"),
    Quantity.IMPORT: Measure("Wh", "interval"),
    Quantity.EXPORT: Measure("Wh", "interval"),
    Quantity.REACTIVE_REGISTER: Measure("varh", "register"),
    Quantity.POWER: Measure("mW", "instant"),
    Quantity.REACTIVE_POWER: Measure("mvar", "instant"),
    Quantity.APPARENT_POWER: Measure("mVA", "instant"),
    Quantity.VOLTAGE: Measure("mV", "instant"),
    Quantity.CURRENT: Measure("mA", "instant"),
    Quantity.POWER_FACTOR: Measure("1/1000", "instant"),
    Quantity.FREQUENCY: Measure("mHz", "instant"),
    Quantity.SOC: Measure("%/1000", "instant"),
    Quantity.TEMPERATURE: Measure("m°C", "instant"),
    Quantity.HUMIDITY: Measure("%/1000", "instant"),
    Quantity.IRRADIANCE: Measure("mW/m²", "instant"),
    Quantity.WIND_SPEED: Measure("mm/s", "instant"),
    Quantity.CLOUD_COVER: Measure("%/1000", "instant"),
    Quantity.PRECIPITATION: Measure("µm", "interval"),
    Quantity.PRICE: Measure("millionths of the currency per kWh", "interval"),
    Quantity.BUY_PRICE: Measure("millionths of the currency per kWh", "interval"),
    Quantity.SELL_PRICE: Measure("millionths of the currency per kWh", "interval"),
    Quantity.CARBON: Measure("mg/kWh", "interval"),
}
