"""Whether what registers hold can be a meter's: a first look at a device that nobody knows yet."""

from collections.abc import Mapping, Sequence

from .register import ProfileField

VOLTAGE_V = (80.0, 300.0)  # to neutral, anywhere in the world; or none
FREQUENCY_HZ = (45.0, 66.0)
POWER_W_MAX = 10_000_000.0
ENERGY_WH_MAX = 1e12
TINY = 1e-30  # what a float is with its words swapped; nothing that is measured


def doubt(
    fields: Mapping[str, ProfileField], words: Mapping[str, Sequence[int]], *, swapped: bool = False
) -> str | None:
    """Return what cannot be true of what the registers hold, None if all of it can."""
    for name, found in words.items():
        field = fields[name]
        value = field.value(found, swapped=swapped)
        if isinstance(value, int | float) and not isinstance(value, bool) and not _may_be(name, field, value):
            return f"{name} would be {value:g}"
    return None


def _may_be(name: str, field: ProfileField, value: float) -> bool:
    if field.type.startswith("float") and 0 < abs(value) < TINY:
        return False
    match name.split("_", maxsplit=1)[0]:
        case "voltage":
            return not value or VOLTAGE_V[0] <= value <= VOLTAGE_V[1]
        case "frequency":
            return not value or FREQUENCY_HZ[0] <= value <= FREQUENCY_HZ[1]
        case "power" | "demand" | "apparent" | "reactive" if name.endswith(("_w", "_va", "_var")):
            return abs(value) <= POWER_W_MAX
        case "import" | "export":
            return 0 <= value <= ENERGY_WH_MAX
        case _:
            return True
