"""The official definitions of SunSpec models, and register images made from them: none of the code under test."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
import json
from pathlib import Path
import struct
from typing import Any

DATA = Path(__file__).parents[2] / "data" / "sunspec"
MARKER = [0x5375, 0x6E53]
END = [0xFFFF, 0]
SIZES = {"16": 1, "32": 2, "64": 4, "count": 1, "sunssf": 1, "pad": 1}
ABSENT = {
    "int16": 0x8000,
    "int32": 0x8000_0000,
    "int64": 0x8000_0000_0000_0000,
    "sunssf": 0x8000,
    "pad": 0x8000,
    "acc16": 0,
    "acc32": 0,
    "acc64": 0,
    "string": 0,
    "count": 0,
    "float32": 0x7FC0_0000,
}


@dataclass(frozen=True)
class Definition:
    """A point as its definition has it, at its offset from the model's header."""

    name: str
    type: str
    offset: int
    size: int
    scale: str | None


@cache
def definition(model_id: int) -> Mapping[str, Any]:
    """Return the official definition of a model."""
    found: Mapping[str, Any] = json.loads((DATA / "models" / f"model_{model_id}.json").read_text())["group"]
    return found


def points(model_id: int) -> list[Definition]:
    """Return the points of a model, those of what repeats in it once."""
    return list(_points(definition(model_id), 0))


def _points(group: Mapping[str, Any], offset: int) -> Iterator[Definition]:
    for point in group.get("points", []):
        size = point.get("size") or _size(point["type"])
        yield Definition(point["name"], point["type"], offset, size, point.get("sf"))
        offset += size
    for inner in group.get("groups", []):
        found = list(_points(inner, offset))
        yield from found
        offset = found[-1].offset + found[-1].size


def model(model_id: int, *groups: Mapping[str, Any], **values: Any) -> list[int]:
    """Return the words of a model, header included; a point that is not named is not implemented.

    Each of `groups` is one repetition of what repeats; without any it is left out.
    """
    described = definition(model_id)
    words = list(_words(described.get("points", []), values))
    for inner in described.get("groups", []):
        if inner.get("count") is None:  # a group that does not repeat, as the power factors of the controls
            words += list(_words(inner["points"], {}))
        else:
            for repetition in groups:
                words += list(_words(inner["points"], repetition))
    words[0:2] = [model_id, len(words) - 2]
    return words


def image(*models: list[int]) -> list[int]:
    """Return a chain of models between its marker and its end."""
    return [*MARKER, *(word for words in models for word in words), *END]


def common(serial: str = "SN-1", maker: str = "Maker", name: str = "Model 1", firmware: str = "1.0") -> list[int]:
    """Return the words of an identity block."""
    return model(1, Mn=maker, Md=name, Vr=firmware, SN=serial)


def kaco() -> list[int]:
    """Return the words of a real inverter, from register 40000 on."""
    blocks = json.loads((DATA / "kaco_blueplanet_8.6TL3_image.json").read_text())["holding"]
    assert [block["start"] for block in blocks] == [40000]
    words: list[int] = blocks[0]["words"]
    return words


def pysunspec2(name: str) -> list[int]:
    """Return the words of a device model of pysunspec2, without the models that no definition is kept of."""
    device = json.loads((DATA / "pysunspec2" / f"{name}.json").read_text())
    kept = [values for values in device["models"] if (DATA / "models" / f"model_{values['ID']}.json").exists()]
    return image(*(model(values["ID"], **{k: v for k, v in values.items() if v is not None}) for values in kept))


def _words(described: list[Mapping[str, Any]], values: Mapping[str, Any]) -> Iterator[int]:
    for point in described:
        size = point.get("size") or _size(point["type"])
        yield from _encoded(point["type"], size, values.get(point["name"]))


def _encoded(kind: str, size: int, value: Any) -> list[int]:
    if value is None:
        raw = ABSENT.get(kind, 2 ** (16 * size) - 1).to_bytes(2 * size)
    elif kind == "string":
        raw = value.encode().ljust(2 * size, b"\0")
    elif kind == "float32":
        raw = struct.pack(">f", value)
    else:
        raw = (value % 2 ** (16 * size)).to_bytes(2 * size)
    return [int.from_bytes(raw[place : place + 2]) for place in range(0, len(raw), 2)]


def _size(kind: str) -> int:
    return next(size for suffix, size in SIZES.items() if kind.endswith(suffix))
