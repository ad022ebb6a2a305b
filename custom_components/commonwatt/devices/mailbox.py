"""The mailbox of a V2G cable: records it signed, fetched page by page over registers, each of them once.

The registers are those of the open register map (docs/register-map.md).
"""

from collections.abc import Sequence

from modbus_connection import ModbusUnit

from ..errors import DeviceError

PUBLIC_KEY, PUBLIC_KEY_WORDS = 200, 65
PUBLIC_KEY_BYTES_MAX = 128
NUMBERS = 105  # the newest and the oldest that is held
SELECT = 300
PAGES, PAGE_WORDS, PAGES_MAX = 400, 120, 8
PAGE_BYTES = 2 * (PAGE_WORDS - 3)
ABSENT = 0xFFFF_FFFF
TRIES = 3  # another reader may choose another record between our choice and our look


class Mailbox:
    """Reads the records of one cable. Every method raises ModbusError when the link fails."""

    def __init__(self, unit: ModbusUnit) -> None:
        """Take the cable's unit."""
        self._unit = unit

    async def async_public_key(self) -> str | None:
        """Return the key the cable signs with, DER in hex; None where it shows none."""
        words = await self._unit.read_holding_registers(PUBLIC_KEY, PUBLIC_KEY_WORDS)
        length = words[0]
        return _bytes(words[1:])[:length].hex() if 0 < length <= PUBLIC_KEY_BYTES_MAX else None

    async def async_held(self) -> range:
        """Return the numbers of the records that the cable holds."""
        words = await self._unit.read_holding_registers(NUMBERS, 4)
        newest, oldest = _number(words[:2]), _number(words[2:])
        return range(oldest, newest + 1) if 0 < oldest <= newest < ABSENT else range(0)

    async def async_record(self, number: int) -> bytes | None:
        """Return a record; None where the cable does not hold it, or says of its length what cannot be."""
        for _ in range(TRIES):
            await self._unit.write_registers(SELECT, [number >> 16, number & 0xFFFF])
            first = await self._page(0)
            length = first[2]
            if _number(first[:2]) != number:
                continue
            if not 0 < length <= PAGES_MAX * PAGE_BYTES:
                return None
            pages = [first, *[await self._page(page) for page in range(1, -(-length // PAGE_BYTES))]]
            if all(_number(page[:2]) == number and page[2] == length for page in pages):
                return b"".join(_bytes(page[3:]) for page in pages)[:length]
        raise DeviceError(f"shows other records than number {number}, which it was asked for")

    async def _page(self, page: int) -> Sequence[int]:
        return await self._unit.read_holding_registers(PAGES + page * PAGE_WORDS, PAGE_WORDS)


def _number(words: Sequence[int]) -> int:
    return (words[0] << 16) + words[1]


def _bytes(words: Sequence[int]) -> bytes:
    return b"".join(word.to_bytes(2) for word in words)
