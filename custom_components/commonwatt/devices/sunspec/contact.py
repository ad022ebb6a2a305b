"""Contact with one part of a SunSpec device: which models are read at every poll, and what they come to."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from modbus_connection import ModbusUnit
from modbus_connection.model import ComponentGroup
from modbus_connection.model.sunspec import SunSpecComponent

from ..port import DeviceIdentity, Quantity, Value
from .controls import controls_of
from .find import Chain, ModelsMoved, async_identity, async_ratings, async_update, async_words, rated_power_w
from .models import INVERTERS, INVERTERS_FLOAT, POWER_OF, STORAGES, component_class
from .parts import SPLITS, Part, Role
from .setpoint import Controls, Held
from .telling import (
    OUTWARD_METERS,
    PANEL_POWERS,
    Flow,
    flow_of,
    flow_of_battery,
    flow_of_ports,
    flow_of_strings,
    panel_values,
    quantities_of_ac,
    storage_values,
    values_of,
)

BATTERY_QUANTITIES = frozenset[Quantity]({"soc_percent", "capacity_wh", "set_point_w", "mode"})


@dataclass(frozen=True, slots=True)
class Contact:
    """A part as it was met: which device it is, and its models."""

    unit: ModbusUnit = field(repr=False)
    chain: Chain
    part: Part
    identity: DeviceIdentity
    ratings: Mapping[str, float]
    controls: Controls | None
    inputs: SunSpecComponent | None
    polled: Mapping[int, SunSpecComponent]
    group: ComponentGroup = field(repr=False)

    @property
    def outward(self) -> bool:
        """Whether the models count as positive what flows out of the device, or from the house towards the grid."""
        if self.part.role != "meter":
            return True
        return (self.chain.identity.manufacturer or "").lower().startswith(OUTWARD_METERS)

    @property
    def quantities(self) -> frozenset[Quantity]:
        """What this part may tell besides power and registers."""
        return quantities_of(self.part.model.model_id, self.part.role)

    async def async_poll(self) -> tuple[Flow, dict[Quantity, Value]]:
        """Read the models, one block each; raise DeviceError, or ModelsMoved if other models stand there now."""
        await async_update(self.unit, self.group)
        model_id = self.part.model.model_id
        component = self.polled[POWER_OF.get(model_id, model_id)]
        storage = storage_values(self.polled[model.model_id] for model in self.part.storage)
        match model_id:
            case 802:
                return flow_of_battery(component), self._rated() | storage
            case 713:
                return flow_of_ports(component), self._rated() | storage
            case 124:
                return flow_of_strings(component), self._rated() | storage
            case _:
                values = values_of(component, model_id, outward=self.outward)
                rated = self._rated() if self.part.role == "battery" else {}
                return flow_of(component, model_id, outward=self.outward), values | rated | storage

    async def async_inputs(self) -> dict[Quantity, Value]:
        """Read what the panels of an inverter give; raise as `async_poll` does."""
        if self.inputs is None:
            return {}
        await async_update(self.unit, self.inputs)
        return panel_values(self.inputs, _splits(self.part))

    async def async_is_same(self) -> bool:
        """Ask once more which device this is; raise DeviceError if it is silent."""
        address = self.chain.named_by(self.part)
        model = None if address is None else self.chain.models.at(address)
        if address is None or model is None:
            return False  # it never said: only its whole chain tells
        try:
            return await async_identity(self.unit, model) == self.chain.identities[address]
        except ModelsMoved:
            return False

    async def async_raw(self) -> Mapping[str, Mapping[int, int]]:
        """Return the words of the models of a poll, by space and address; raise as `async_poll` does."""
        return await async_words(self.unit, self.group)

    def _rated(self) -> dict[Quantity, Value]:
        capacity_wh = self.ratings.get("capacity_wh")
        return {} if capacity_wh is None else {"capacity_wh": capacity_wh}


def quantities_of(model_id: int, role: Role | None = None) -> frozenset[Quantity]:
    """Return what a part with this model may tell besides power and registers; of a role not known yet, of every."""
    told = frozenset[Quantity]() if model_id in STORAGES else quantities_of_ac(model_id)
    if role == "battery" or (role is None and model_id in (701, *STORAGES)):
        told |= BATTERY_QUANTITIES
    if role == "inverter" or (role is None and model_id in (701, *INVERTERS, *INVERTERS_FLOAT)):
        told |= {"dc_power_w", *PANEL_POWERS}
    return told


async def async_contact(unit: ModbusUnit, chain: Chain, part: Part, held: Held) -> Contact:
    """Read what a part says once, and lay out what is read at every poll."""
    ratings = await async_ratings(unit, part)
    model = part.beside[POWER_OF[part.model.model_id]] if part.model.model_id in POWER_OF else part.model
    polled = {found.model_id: component_class(found.model_id)(unit, found) for found in (model, *part.storage)}
    identity = replace(chain.identity_of(part), rated_power_w=rated_power_w(part, ratings))
    controls = await controls_of(unit, part, ratings, identity.manufacturer, held) if part.role == "battery" else None
    splits = _splits(part)
    inputs = component_class(splits)(unit, part.beside[splits]) if splits else None
    return Contact(
        unit, chain, part, identity, ratings, controls, inputs, polled, ComponentGroup(unit, polled.values())
    )


def _splits(part: Part) -> int:
    """Return the model that tells of an inverter's inputs one by one, the first inverter's; 0 where none does."""
    if part.role != "inverter" or part.model != part.beside[part.model.model_id]:
        return 0
    return next((model_id for model_id in SPLITS if model_id in part.beside), 0)
