"""What a chain of SunSpec models is made of: inverters, meters and batteries, each with the models that tell of it."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from modbus_connection.model.sunspec import SunSpecModel, SunSpecModels

from ..port import Kind
from .models import (
    GROUP_LENGTH_MAX,
    GROUPS,
    INVERTERS,
    INVERTERS_FLOAT,
    METERS,
    METERS_FLOAT,
    MODELS,
    POWER_OF,
    STORAGES,
    length_least,
)

SPLITS = tuple(POWER_OF.values())
BATTERIES = (701, 713, 124, 802)  # which tells best of a battery; the last has no energy registers

type Role = Literal["inverter", "meter", "battery"]

KINDS: Mapping[Role, tuple[Kind, ...]] = {"inverter": ("tap",), "meter": ("meter", "tap"), "battery": ("battery",)}


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that a chain tells of: its model, the identity block before it, and the models beside it.

    `beside` are the first of each model between that identity block and the next: what belongs to the same device.
    """

    key: str
    role: Role
    model: SunSpecModel
    index: int
    common: SunSpecModel | None
    beside: Mapping[int, SunSpecModel]

    @property
    def storage(self) -> tuple[SunSpecModel, ...]:
        """The models that tell how full the battery of this part is."""
        if self.role != "battery":
            return ()
        if self.model.model_id == 802:
            return (self.model,)  # of several, each tells of itself
        return tuple(self.beside[model_id] for model_id in STORAGES if model_id in self.beside)


def parts_of(models: SunSpecModels) -> tuple[Part, ...]:
    """Return every part of a chain, also such as another part tells of better."""
    counts: dict[int, int] = {}
    parts: list[Part] = []
    for common, members in _devices(models):
        beside: dict[int, SunSpecModel] = {}
        for model in members:
            beside.setdefault(model.model_id, model)
        for model in members:
            if (role := _role(model.model_id, beside)) is None:
                continue
            index = counts[model.model_id] = counts.get(model.model_id, 0) + 1
            key = f"{model.model_id}.{index}" if index > 1 else f"{model.model_id}"
            parts.append(Part(key, role, model, index, common, beside))
    return tuple(parts)


def offered_parts(models: SunSpecModels) -> tuple[Part, ...]:
    """Return the parts of a chain, each thing once: devices tell of one inverter or meter in several models."""
    parts = parts_of(models)
    return tuple(part for part in parts if part.model.model_id in _best(parts, part))


def sound_models(models: SunSpecModels) -> SunSpecModels:
    """Return the models that are as long as their definition; the others are not read."""
    sound = SunSpecModels()
    for model in models.chain:
        if model.model_id not in MODELS or _is_sound(model):
            sound.setdefault(model.model_id, []).append(model)
    return sound


def _is_sound(model: SunSpecModel) -> bool:
    if model.length < length_least(model.model_id):
        return False
    if model.model_id not in GROUPS:
        return True
    start, stride, _ = GROUPS[model.model_id]
    return model.length <= GROUP_LENGTH_MAX and (model.span - start) % stride == 0


def _devices(models: SunSpecModels) -> Iterator[tuple[SunSpecModel | None, list[SunSpecModel]]]:
    common: SunSpecModel | None = None
    members: list[SunSpecModel] = []
    for model in models.chain:
        if model.model_id != 1:
            members.append(model)
            continue
        if members:
            yield common, members
        common, members = model, []
    if members:
        yield common, members


def _role(model_id: int, beside: Collection[int]) -> Role | None:
    if model_id in (*INVERTERS, *INVERTERS_FLOAT):
        return "inverter"
    if model_id in (*METERS, *METERS_FLOAT):
        return "meter"
    if model_id == 701:
        # with a battery and nothing that tells of another source, all its power is the battery's
        sources = {*INVERTERS, *INVERTERS_FLOAT, *SPLITS}
        return "battery" if set(STORAGES) & set(beside) and not sources & set(beside) else "inverter"
    # of the others only the base model of a battery tells its power itself
    if model_id in STORAGES and POWER_OF.get(model_id, model_id) in beside:
        return "battery"
    return None


def _best(parts: Iterable[Part], part: Part) -> tuple[int, ...]:
    """Return the models that tell best of what this part is, among those of the same device."""
    own = {other.model.model_id for other in parts if other.common == part.common and other.role == part.role}
    if part.role == "battery":
        return next((model,) for model in BATTERIES if model in own)
    if part.role == "meter":
        return METERS if own & set(METERS) else METERS_FLOAT
    if 701 in own:
        return (701,)
    return INVERTERS if own & set(INVERTERS) else INVERTERS_FLOAT
