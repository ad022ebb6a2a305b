"""Register profiles: which device answers what where, read from data files so that a new meter needs no code."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
import json
from pathlib import Path
from typing import Any, Literal, get_args

from modbus_connection import ModbusUnit
from modbus_connection.model import ManualComponent, RegisterField, fields

FOLDER = Path(__file__).parent / "profiles"

type Space = Literal["holding", "input"]
type FieldName = Literal[
    "serial", "import_wh", "export_wh", "power_w", "rated_power_w", "breaker_state", "breaker_command"
]
type Number = Literal["uint16", "int16", "uint32", "int32", "uint64", "int64"]


@dataclass(frozen=True, slots=True)
class ProfileField:
    """One value of a device: where it stands, how it is written, and what makes it Wh or W."""

    address: int
    type: str
    space: Space
    registers: int = 1
    factor: int = 1
    absent: int | None = None
    equals: int | str | None = None

    def register_field(self) -> RegisterField[Any]:
        """Return the field a component reads."""
        match self.type:
            case "string":
                return fields.string(self.address, self.registers)
            case "float32":
                return fields.float32(self.address)
            case "float64":
                return fields.float64(self.address)
            case "uint16" | "int16":
                return fields.integer(self.address, signed=self.type == "int16", nan=self.absent)
            case "uint32":
                return fields.uint32(self.address, nan=self.absent)
            case "int32":
                return fields.int32(self.address, nan=self.absent)
            case "uint64":
                return fields.uint64(self.address, nan=self.absent)
            case "int64":
                return fields.int64(self.address, nan=self.absent)
            case _:
                raise ValueError(f"profile names the unknown type {self.type}")


@dataclass(frozen=True, slots=True)
class Profile:
    """A device's register map; `identity` are registers that must hold a value, or another device answers."""

    key: str
    label: str
    manufacturer: str | None
    model: str | None
    source: str
    max_gap: int
    space: Space
    identity: tuple[ProfileField, ...]
    fields: Mapping[str, ProfileField]

    def component(self, unit: ModbusUnit, *, every_poll: bool) -> ManualComponent:
        """Return the fields read together: those of the profile's own space at every poll, the others on contact."""
        component = ManualComponent(unit, max_gap=self.max_gap)
        for name, field in [*((f"identity_{i}", field) for i, field in enumerate(self.identity)), *self.fields.items()]:
            if (field.space == self.space) is every_poll:
                component.add(name, field.register_field(), space=field.space)
        return component


@cache
def load_profiles() -> Mapping[str, Profile]:
    """Read every profile of the folder (blocking: run it in the executor); a wrong file raises ValueError."""
    return {
        path.stem: parse_profile(path.stem, json.loads(path.read_bytes())) for path in sorted(FOLDER.glob("*.json"))
    }


def parse_profile(key: str, data: Mapping[str, Any]) -> Profile:
    """Read one profile; raise ValueError with the file's key when it says something nobody understands."""
    try:
        space: Space = data["space"]
        profile = Profile(
            key=key,
            label=data["label"],
            manufacturer=data["manufacturer"],
            model=data["model"],
            source=data["source"],
            max_gap=data["max_gap"],
            space=space,
            identity=tuple(_field(field, space) for field in data["identity"]),
            fields={name: _field(field, space) for name, field in data["fields"].items()},
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"profile {key}: {error!r}") from error
    if unknown := set(profile.fields) - set(get_args(FieldName.__value__)):
        raise ValueError(f"profile {key} names the unknown fields {sorted(unknown)}")
    if not {"import_wh", "export_wh"} & set(profile.fields):
        raise ValueError(f"profile {key} has no energy register")
    if len({"breaker_state", "breaker_command"} & set(profile.fields)) == 1:
        raise ValueError(f"profile {key} has a breaker that cannot be both read and switched")
    for field in (*profile.identity, *profile.fields.values()):
        field.register_field()
    return profile


def _field(data: Mapping[str, Any], space: Space) -> ProfileField:
    return ProfileField(**({"space": space} | dict(data)))
