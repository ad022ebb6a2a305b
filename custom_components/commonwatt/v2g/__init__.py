"""V2G: what a cable signed, taken apart and believed only by the key that is known for it. Pure."""

from .ocmf import TEXT_BYTES_MAX, Ocmf, OcmfReading, Reason, Refused, parse_ocmf
from .signed import SignedInterval, follows, key_of, signed_interval, verify

__all__ = [
    "TEXT_BYTES_MAX",
    "Ocmf",
    "OcmfReading",
    "Reason",
    "Refused",
    "SignedInterval",
    "follows",
    "key_of",
    "parse_ocmf",
    "signed_interval",
    "verify",
]
