"""Blocks of registers: the fewest requests in which a unit tells what is wanted of it, each as often as it must."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from .register import Pace, ProfileField, Space

BITS_MAX = 2000  # what one request may read of coils or discrete inputs
PACES: Final[tuple[Pace, ...]] = ("poll", "slow", "contact")


@dataclass(frozen=True, slots=True)
class Block:
    """Registers read in one request; `names` are the fields that stand in it, in the order of their addresses."""

    space: Space
    address: int
    count: int
    names: tuple[str, ...]
    pace: Pace

    def holds(self, field: ProfileField) -> bool:
        """Tell whether a field stands in this block."""
        end = self.address + self.count
        return field.space == self.space and self.address <= field.address and field.address + field.count <= end

    def words(self, field: ProfileField, words: Sequence[int]) -> Sequence[int]:
        """Return a field's own words of this block's."""
        start = field.address - self.address
        return words[start : start + field.count]


def plan(fields: Mapping[str, ProfileField], *, max_gap: int, max_span: int) -> tuple[Block, ...]:
    """Return the blocks that hold all the fields.

    `max_gap` registers between two fields are read along; a field that stands in a block read more often than it must
    comes with it.
    """
    blocks: list[Block] = []
    for pace in PACES:
        held = {name for name, field in fields.items() if any(block.holds(field) for block in blocks)}
        due = {name: field for name, field in fields.items() if field.pace == pace and name not in held}
        blocks += together(due, pace, max_gap, max_span)
    return tuple(_with_names(block, fields, blocks[:place]) for place, block in enumerate(blocks))


def halves(block: Block, fields: Mapping[str, ProfileField], *, max_span: int) -> tuple[Block, ...]:
    """Return smaller blocks in place of one that was refused: without the gaps in it, else cut in two."""
    inside = {name: fields[name] for name in block.names}
    parts = together(inside, block.pace, 0, max_span)
    if len(parts) > 1:
        return tuple(parts)
    half = len(block.names) // 2
    return tuple(
        part
        for names in (block.names[:half], block.names[half:])
        for part in together({name: fields[name] for name in names}, block.pace, 0, max_span)
    )


def _with_names(block: Block, fields: Mapping[str, ProfileField], earlier: Iterable[Block]) -> Block:
    taken = {name for other in earlier for name, field in fields.items() if other.holds(field)}
    names = [name for name, field in fields.items() if name not in taken and block.holds(field)]
    names.sort(key=lambda name: fields[name].address)
    return Block(block.space, block.address, block.count, tuple(names), block.pace)


def together(fields: Mapping[str, ProfileField], pace: Pace, max_gap: int, max_span: int) -> list[Block]:
    """Return the fewest blocks that hold these fields, all of them read at one pace."""
    blocks: list[Block] = []
    for name, field in sorted(fields.items(), key=lambda item: (item[1].space, item[1].address, item[1].count)):
        end = field.address + field.count
        last = blocks[-1] if blocks else None
        span_max = BITS_MAX if field.type == "bit" else max_span
        if (
            last is not None
            and last.space == field.space
            and field.address <= last.address + last.count + max_gap
            and end - last.address <= span_max
        ):
            count = max(last.count, end - last.address)
            blocks[-1] = Block(last.space, last.address, count, (*last.names, name), pace)
        else:
            blocks.append(Block(field.space, field.address, field.count, (name,), pace))
    return blocks
