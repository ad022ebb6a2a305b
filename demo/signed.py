"""Signed intervals of a simulated cable: each period becomes a record others can check, and pages to read it."""

from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .register_map import unsigned

HELD = 1488  # records: 31 days of half hours
KEY_BYTES = 128
KEY_WORDS = 1 + KEY_BYTES // 2
PAGES = 8
PAGE_WORDS = 120
PAGE_BYTES = 2 * (PAGE_WORDS - 3)
IMPORT, EXPORT = "01-00:B0.08.00*FF", "01-00:C0.08.00*FF"

type Registers = tuple[int, int]  # import and export, Wh
type Place = tuple[int, int]  # latitude and longitude, in millionths of a degree


class SignedIntervals:
    """A cable's key and the records it signed with it; the private key never leaves this object."""

    def __init__(self, serial: str, held: int = HELD) -> None:
        self._serial = serial
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._records: deque[str] = deque(maxlen=held)
        self.newest = 0
        self.selected = 0

    @property
    def public_key(self) -> bytes:
        """Return the public key in DER."""
        return self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def oldest(self) -> int:
        """Return the number of the oldest record still held; 0 while there is none."""
        return self.newest - len(self._records) + 1 if self._records else 0

    def record(self, number: int) -> str:
        """Return a record, nothing for one that is not held."""
        return self._records[number - self.oldest] if self._records and self.oldest <= number <= self.newest else ""

    def close(
        self,
        span_ms: tuple[int, int],
        before: Registers,
        after: Registers,
        user: str,
        reason: str,
        *,
        began: str = "C",
        site: str = "",
        place: Place | None = None,
        vehicle: str = "",
    ) -> None:
        """Sign the interval from one pair of registers to another, and where and with which car it was."""
        readings = [
            _reading(at_ms, event, obis, register_wh)
            for at_ms, event, registers in ((span_ms[0], began, before), (span_ms[1], reason, after))
            for obis, register_wh in zip((IMPORT, EXPORT), registers, strict=True)
        ]
        told = _circumstances(site, place, vehicle)
        payload = json.dumps({**self._payload(readings, user), **told}, separators=(",", ":"))
        signature = self._key.sign(payload.encode(), ec.ECDSA(SHA256())).hex().upper()
        signed = json.dumps({"SA": "ECDSA-secp256r1-SHA256", "SD": signature}, separators=(",", ":"))
        self._records.append(f"OCMF|{payload}|{signed}")
        self.newest += 1

    def key_words(self) -> list[int]:
        """Return registers 200 to 264."""
        key = self.public_key
        return [len(key), *_packed(key, KEY_BYTES // 2)]

    def page_words(self) -> list[int]:
        """Return registers 400 to 1359: every page of the record selected."""
        raw = self.record(self.selected).encode()
        words: list[int] = []
        for page in range(PAGES):
            piece = raw[page * PAGE_BYTES : (page + 1) * PAGE_BYTES]
            words += [*unsigned(self.selected, 2), len(raw), *_packed(piece, PAGE_BYTES // 2)]
        return words

    def _payload(self, readings: list[dict[str, Any]], user: str) -> Mapping[str, Any]:
        return {
            "FV": "1.2",
            "GI": "Commonwatt demo cable",
            "GS": self._serial,
            "GV": "1",
            "PG": f"T{self.newest + 1}",
            "MV": "Commonwatt",
            "MM": "Demo",
            "MS": self._serial,
            "IS": bool(user),
            "IL": "TRUSTED" if user else "NONE",
            "IF": [],
            "IT": "LOCAL",
            "ID": user,
            "RD": readings,
        }


def _reading(at_ms: int, event: str, obis: str, register_wh: int) -> dict[str, Any]:
    at = datetime.fromtimestamp(at_ms // 1000, UTC)
    return {
        "TM": f"{at:%Y-%m-%dT%H:%M:%S},{at_ms % 1000:03}+0000 S",
        "TX": event,
        "RV": register_wh,
        "RI": obis,
        "RU": "Wh",
        "RT": "AC",
        "ST": "G",
    }


def _circumstances(site: str, place: Place | None, vehicle: str) -> dict[str, Any]:
    """Return what is left out where it is not known: no site while none was named to the cable."""
    told: dict[str, Any] = {"CT": "CBIDC", "CI": site} if site else {}
    if place is not None:
        told["XP"] = list(place)
    return told | ({"XV": vehicle} if vehicle else {})


def _packed(raw: bytes, words: int) -> list[int]:
    padded = raw.ljust(2 * words, b"\0")
    return [int.from_bytes(padded[at : at + 2]) for at in range(0, 2 * words, 2)]
