"""A SunSpec device is found: where its chain of models begins, which device it is, and what it is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
import logging

from modbus_connection import ModbusError, ModbusUnit, ServerDeviceFailureError
from modbus_connection.model import ComponentGroup
from modbus_connection.model.sunspec import SunSpecComponent, SunSpecError, SunSpecModel, SunSpecModels, scan

from ...errors import DeviceError
from ..faults import REFUSALS, fault
from ..port import DeviceIdentity, Kind
from .models import POWER_OF, component_class
from .parts import KINDS, Part, offered_parts, sound_models
from .telling import storage_inputs

LOGGER = logging.getLogger(__name__)

BASES = (40000, 50000, 0)  # in the order in which devices are known to use them
LABELS = {"inverter": "Inverter", "meter": "Meter", "battery": "Battery"}


class NotSunSpec(DeviceError):  # noqa: N818
    """Something answers, but it has no SunSpec models that can be used here."""


class BlockRefused(DeviceError):  # noqa: N818
    """The device refuses registers that its own chain of models has."""


class ModelsMoved(DeviceError):  # noqa: N818
    """The models of the device are no longer where they were found."""


@dataclass(frozen=True, slots=True)
class SunSpecPart:
    """A part of a SunSpec device that can stand at a tap: its key, its model, and what it may be set up as.

    `identity` is that of the part itself where it has one, as meters behind an inverter do.
    """

    key: str
    model: int
    index: int
    kinds: tuple[Kind, ...]
    label: str
    identity: DeviceIdentity


@dataclass(frozen=True, slots=True)
class SunSpecFound:
    """A SunSpec device: which one, its parts, and the register at which its chain begins."""

    identity: DeviceIdentity
    parts: tuple[SunSpecPart, ...]
    base: int


@dataclass(frozen=True, slots=True)
class Chain:
    """The models of a device as they were found, and which device it says it is, by the place of the identity block."""

    base: int
    models: SunSpecModels
    identities: Mapping[int, DeviceIdentity]

    @property
    def identity(self) -> DeviceIdentity:
        """Which device this is: what its first identity block says."""
        return next(iter(self.identities.values()), NOBODY)

    def identity_of(self, part: Part) -> DeviceIdentity:
        """Which device a part is; a part without a number of its own is the device."""
        address = self.named_by(part)
        return NOBODY if address is None else self.identities[address]

    def named_by(self, part: Part) -> int | None:
        """Return the place of the identity block that says so; None where the chain has none."""
        if part.common is not None and self.identities[part.common.address].serial is not None:
            return part.common.address
        return next(iter(self.identities), None)


NOBODY = DeviceIdentity(serial=None, rated_power_w=None)


async def async_find(unit: ModbusUnit) -> SunSpecFound:
    """Return what SunSpec device answers here.

    Raises NotSunSpec if something else answers, DeviceError if nothing does.
    """
    chain = await async_chain(unit)
    parts = []
    for part in offered_parts(chain.models):
        if not await _async_tells_power(unit, part):
            continue
        rated_w = rated_power_w(part, await async_ratings(unit, part))
        identity = replace(chain.identity_of(part), rated_power_w=rated_w)
        label = f"{LABELS[part.role]} {part.index}" if part.index > 1 else LABELS[part.role]
        parts.append(SunSpecPart(part.key, part.model.model_id, part.index, KINDS[part.role], label, identity))
    if not parts:
        told = ", ".join(str(model.model_id) for model in chain.models.chain)
        raise NotSunSpec(f"has SunSpec models ({told}), but no inverter, meter or battery among them that is whole")
    rated_w = next((part.identity.rated_power_w for part in parts if part.identity.rated_power_w), None)
    return SunSpecFound(replace(chain.identity, rated_power_w=rated_w), tuple(parts), chain.base)


async def async_chain(unit: ModbusUnit, bases: Sequence[int] = BASES) -> Chain:
    """Scan for the models of a device and read which device it is; raise as `async_find` does."""
    refused = []
    for base in bases:
        try:
            models = sound_models(await scan(unit, base))
        except (SunSpecError, ValueError, *REFUSALS, ServerDeviceFailureError) as error:
            refused.append(str(error))  # a ValueError: a length led out of the register map
        except ModbusError as error:
            raise failure(unit, error) from error
        else:
            identities = {model.address: await async_identity(unit, model) for model in models.get(1, [])}
            return Chain(base, models, identities)
    raise NotSunSpec(f"is no SunSpec device, or not at this unit id: {'; '.join(refused)}")


def rated_power_w(part: Part, ratings: Mapping[str, float]) -> int | None:
    """Return the power that a part is built for, in W; None where it does not say."""
    battery = ("charge_max_w", "discharge_max_w") if part.role == "battery" else ()
    return max((round(ratings[name]) for name in ("rated_power_w", *battery) if name in ratings), default=None)


async def async_ratings(unit: ModbusUnit, part: Part) -> dict[str, float]:
    """Return what the models beside a part say it is built for; where two say so, model 702 has the last word."""
    if part.role == "meter":
        return {}  # a meter's identity block may be the inverter's, whose ratings are not the meter's
    ratings: dict[str, float] = {}
    for model_id in (802, 120, 702):
        if (model := part.beside.get(model_id)) is not None:
            component = component_class(model_id)(unit, model)
            try:
                await async_update(unit, component)
            except BlockRefused as error:
                LOGGER.debug("What a SunSpec device is built for cannot be read: %s", error)
                continue
            read = {name: getattr(component, name) for name in RATINGS if name in component.declared_fields}
            ratings |= {name: value for name, value in read.items() if value}
    return ratings


RATINGS = ("rated_power_w", "charge_max_w", "discharge_max_w", "power_max_w", "capacity_wh")


async def async_update(unit: ModbusUnit, component: SunSpecComponent | ComponentGroup) -> None:
    """Read models; raise DeviceError if the device is silent or refuses, ModelsMoved if other models stand there."""
    await async_words(unit, component)


async def async_words(
    unit: ModbusUnit, component: SunSpecComponent | ComponentGroup
) -> Mapping[str, Mapping[int, int]]:
    """Read models and return their words, by space and address; raise as `async_update` does."""
    try:
        return await component.async_read_raw(notify=False)
    except ModbusError as error:
        raise failure(unit, error) from error
    except SunSpecError as error:
        raise ModelsMoved(str(error)) from error


def failure(unit: ModbusUnit, error: ModbusError) -> DeviceError:
    """Return an error of the link, or a refusal of registers that the device's own chain names, in words."""
    if isinstance(error, REFUSALS):
        return BlockRefused(f"refuses a block of its own SunSpec models: {error}")
    return fault(error, connected=unit.connected)


async def _async_tells_power(unit: ModbusUnit, part: Part) -> bool:
    """Tell whether the power of a battery is among the direct-current inputs of its inverter, if it must be."""
    if (model_id := POWER_OF.get(part.model.model_id)) is None:
        return True
    component = component_class(model_id)(unit, part.beside[model_id])
    await async_update(unit, component)
    return bool(storage_inputs(component, model_id))


async def async_identity(unit: ModbusUnit, model: SunSpecModel) -> DeviceIdentity:
    """Read an identity block; raise as `async_update` does."""
    common = component_class(1)(unit, model)
    await async_update(unit, common)
    words = {name: _text(getattr(common, name)) for name in ("serial", "manufacturer", "model", "firmware")}
    return DeviceIdentity(rated_power_w=None, **words)


def _text(value: str | None) -> str | None:
    return None if value is None else value.split("\0")[0].strip() or None
