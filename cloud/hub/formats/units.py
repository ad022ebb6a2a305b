"""From the units that makers write to the hub's own: exact factors, rounded once, half to even. Pure.

Every unit is a fraction of the quantity's own unit, so nothing is lost on the way: 1 MJ is 10000000 / 36 Wh, 1 °F is
(x - 32) · 5000 / 9 m°C.
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact, InvalidOperation
import re
from typing import Literal
import unicodedata

from cloud.hub.quantity import VALUE_MAX, Quantity

DIGITS_MAX = 60  # of a number as it is written; no meter counts further
EXPONENT_MAX = 40  # 1E999999999 is a short text and an endless number
MONEY_UNIT = re.compile(r"[A-Z]{3}/([kM]Wh)")  # whose currency it is stands at the device

# wide enough for a number, a factor and a unit together: a product that would be rounded is a mistake of ours
EXACT = Context(prec=DIGITS_MAX + 2 * EXPONENT_MAX + 60, traps=[Inexact, InvalidOperation])


@dataclass(frozen=True, slots=True)
class Unit:
    """How a number in this unit becomes the quantity's own: (number + plus) · times / per."""

    times: Decimal
    per: int = 1
    plus: Decimal = Decimal(0)

    def whole(self) -> int | None:
        """Return what a whole number is multiplied by, where that is all; else None."""
        return int(self.times) if self.per == 1 and not self.plus and self.times == int(self.times) else None


@dataclass(frozen=True, slots=True)
class NoNumber:
    """Why a value cannot be taken: the word for programs, and the sentence for people."""

    reason: Literal["not-a-number", "out-of-range"]
    why: str


def _units(**times: str | int) -> dict[str, Unit]:
    return {name: Unit(Decimal(factor)) for name, factor in times.items()}


ENERGY = {**_units(mWh="0.001", Wh=1, kWh=1000, MWh=10**6, GWh=10**9)} | {
    "J": Unit(Decimal(1), 3600),
    "Ws": Unit(Decimal(1), 3600),
    "kJ": Unit(Decimal(1000), 3600),
    "MJ": Unit(Decimal(10**6), 3600),
}
POWER = _units(mW=1, W=1000, kW=10**6, MW=10**9)
REACTIVE_ENERGY = {**_units(varh=1, kvarh=1000, Mvarh=10**6, VArh=1, kVArh=1000)}
REACTIVE_POWER = _units(mvar=1, var=1000, kvar=10**6, Mvar=10**9, VAr=1000, kVAr=10**6, VAR=1000, kVAR=10**6)
APPARENT_POWER = _units(mVA=1, VA=1000, kVA=10**6, MVA=10**9)
PERCENT = {"%": Unit(Decimal(1000)), "percent": Unit(Decimal(1000)), "1": Unit(Decimal(100_000))}
PRICE = {"/kWh": Unit(Decimal(10**6)), "/MWh": Unit(Decimal(1000))} | {
    f"{cent}/kWh": Unit(Decimal(10**4)) for cent in ("ct", "c", "p", "øre", "öre")
}

UNITS: dict[Quantity, dict[str, Unit]] = {
    Quantity.IMPORT_REGISTER: ENERGY,
    Quantity.EXPORT_REGISTER: ENERGY,
    Quantity.IMPORT: ENERGY,
    Quantity.EXPORT: ENERGY,
    Quantity.REACTIVE_REGISTER: REACTIVE_ENERGY,
    Quantity.POWER: POWER,
    Quantity.REACTIVE_POWER: REACTIVE_POWER,
    Quantity.APPARENT_POWER: APPARENT_POWER,
    Quantity.VOLTAGE: _units(mV=1, V=1000, kV=10**6),
    Quantity.CURRENT: _units(mA=1, A=1000, kA=10**6),
    Quantity.POWER_FACTOR: {"1": Unit(Decimal(1000)), "%": Unit(Decimal(10)), "percent": Unit(Decimal(10))},
    Quantity.FREQUENCY: _units(mHz=1, Hz=1000, kHz=10**6),
    Quantity.SOC: PERCENT,
    Quantity.TEMPERATURE: {
        "°C": Unit(Decimal(1000)),
        "°F": Unit(Decimal(5000), 9, Decimal(-32)),
        "K": Unit(Decimal(1000), 1, Decimal("-273.15")),
    },
    Quantity.HUMIDITY: PERCENT,
    Quantity.IRRADIANCE: {"W/m2": Unit(Decimal(1000)), "kW/m2": Unit(Decimal(10**6))},
    Quantity.WIND_SPEED: {
        "mm/s": Unit(Decimal(1)),
        "m/s": Unit(Decimal(1000)),
        "km/h": Unit(Decimal(10**6), 3600),
        "kn": Unit(Decimal(1_852_000), 3600),
        "mph": Unit(Decimal("447.04")),
    },
    Quantity.CLOUD_COVER: PERCENT | {"okta": Unit(Decimal(12_500))},
    Quantity.PRECIPITATION: {"mm": Unit(Decimal(1000)), "cm": Unit(Decimal(10**4)), "in": Unit(Decimal(25_400))},
    Quantity.PRICE: PRICE,
    Quantity.BUY_PRICE: PRICE,
    Quantity.SELL_PRICE: PRICE,
    Quantity.CARBON: {"mg/kWh": Unit(Decimal(1))}
    | {name: Unit(Decimal(1000)) for name in ("g/kWh", "gCO2/kWh", "gCO2eq/kWh", "kg/MWh", "kgCO2/MWh")}
    | {name: Unit(Decimal(10**6)) for name in ("kg/kWh", "t/MWh", "tCO2/MWh")},
}
OTHER_NAMES = {
    "Celsius": "°C",
    "celsius": "°C",
    "Celcius": "°C",  # so in OCPP 1.6
    "C": "°C",
    "Fahrenheit": "°F",
    "F": "°F",
    "Percent": "percent",
    "hPa": "hPa",
    "m s-1": "m/s",
    "mp/h": "mph",
    "inch": "in",
    "": "1",
}


def unit_of(quantity: Quantity, name: str) -> Unit | None:
    """Return the unit of this name for a quantity; None if it has no such unit.

    `W/m²` and `W/m2` are one unit; a price may name its currency (`EUR/MWh`), which the device's own is.
    """
    known = UNITS[quantity]
    plain = unicodedata.normalize("NFKC", name).strip()
    plain = plain if plain in known else OTHER_NAMES.get(plain, plain)
    if known is PRICE and (match := MONEY_UNIT.fullmatch(plain)):
        plain = f"/{match[1]}"
    return known.get(plain)


def number_of(seen: object) -> Decimal | NoNumber:
    """Return what was read as a number that can be reckoned with; true and false, NaN and endless ones are none."""
    try:
        match seen:
            case bool() | None:
                return _no_number(seen)
            case Decimal():
                value = seen
            case int() if seen.bit_length() > 200:
                return NoNumber("out-of-range", f"{shortened(hex(seen))} is too large")
            case int():
                value = Decimal(seen)
            case float():
                value = Decimal(repr(seen))  # the shortest number that is this one, as people would write it
            case str() if 0 < len(seen) <= DIGITS_MAX and seen.isascii() and "_" not in seen:
                value = Decimal(seen.strip())
            case _:
                return _no_number(seen)
    except ArithmeticError, ValueError:
        return _no_number(seen)
    if not value.is_finite():
        return _no_number(seen)
    if value and not -EXPONENT_MAX <= value.adjusted() <= EXPONENT_MAX:
        return NoNumber("out-of-range", f"{shortened(str(seen))} is too large or too small")
    return value


def _no_number(seen: object) -> NoNumber:
    return NoNumber("not-a-number", f"{shortened(repr(seen))} is not a number")


def shortened(text: str, most: int = 40) -> str:
    """Return a text that was seen, short enough to be repeated."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in text[: most + 1])
    return plain if len(plain) <= most else plain[: most - 1] + "…"


def whole_of(number: Decimal, unit: Unit, factor: Decimal = Decimal(1)) -> int | NoNumber:
    """Return a number in a unit as a whole number of the quantity's own, rounded once, half to even."""
    try:
        raw = EXACT.add(number, unit.plus) if unit.plus else number
        raw = EXACT.multiply(raw if factor == 1 else EXACT.multiply(raw, factor), unit.times)
    except Inexact:
        return NoNumber("out-of-range", f"{shortened(str(number))} has more digits than a measurement")
    if raw and raw.adjusted() > 20:
        return NoNumber("out-of-range", f"{shortened(str(number))} is too large")
    value = int(raw.to_integral_value(ROUND_HALF_EVEN)) if unit.per == 1 else _nearest(raw, unit.per)
    if not -VALUE_MAX <= value <= VALUE_MAX:
        return NoNumber("out-of-range", f"{shortened(str(number))} is too large")
    return value


def _nearest(value: Decimal, per: int) -> int:
    above, below = value.as_integer_ratio()
    whole, rest = divmod(above, below * per)
    twice = 2 * rest - below * per
    return whole + (twice > 0 or (twice == 0 and whole % 2 == 1))
