"""Records for the tests, signed here: a meter with a key of its own."""

from collections.abc import Mapping
from functools import cache
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

PUBLIC = json.loads((Path(__file__).parents[2] / "data" / "ocmf" / "records.json").read_bytes())


@cache
def key(curve: type[ec.EllipticCurve] = ec.SECP256R1) -> ec.EllipticCurvePrivateKey:
    """Return a private key that is always the same."""
    return ec.derive_private_key(0x5EED, curve())


def public(curve: type[ec.EllipticCurve] = ec.SECP256R1) -> bytes:
    """Return its public key as it is kept."""
    return key(curve).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def reading(at: str, register: float, **changes: Any) -> dict[str, Any]:
    """Return a reading of the import register in Wh."""
    plain = {"TM": f"2026-11-21T{at},000+0000 S", "TX": "C", "RV": register, "RI": "01-00:B0.08.00*FF", "RU": "Wh"}
    return {name: value for name, value in (plain | {"ST": "G"} | changes).items() if value is not None}


EXPORT = {"RI": "01-00:C0.08.00*FF"}
HALF_HOUR = (
    reading("05:00:00", 1000),
    reading("05:00:00", 200, **EXPORT),
    reading("05:30:00", 1750),
    reading("05:30:00", 260, **EXPORT),
)


def payload(*readings: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a payload section with these readings, or those of half an hour."""
    plain = {"FV": "1.2", "GI": "Cable", "GS": "C-1", "GV": "1", "PG": "T7", "MS": "M-1", "IS": True, "IT": "LOCAL"}
    whole = plain | {"ID": "dora", "RD": list(readings or HALF_HOUR)} | changes
    return {name: value for name, value in whole.items() if value is not None}


def sign(content: Mapping[str, Any] | str, curve: type[ec.EllipticCurve] = ec.SECP256R1, **signature: Any) -> str:
    """Return the record of a payload, signed over its very bytes."""
    text = content if isinstance(content, str) else json.dumps(content, separators=(",", ":"))
    signed = key(curve).sign(text.encode(), ec.ECDSA(SHA256()))
    return f"OCMF|{text}|{json.dumps({'SD': signed.hex().upper()} | signature, separators=(',', ':'))}"
