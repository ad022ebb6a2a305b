"""A record is believed by the key that is known for its meter, and by no other."""

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from ..wire import Ocmf, Refused

KEY_BYTES_MAX = 128

# The curve is the known key's; the record may name the same, and nothing else.
ALGORITHMS = {
    "secp256r1": "ECDSA-secp256r1-SHA256",
    "secp256k1": "ECDSA-secp256k1-SHA256",
    "secp384r1": "ECDSA-secp384r1-SHA256",
    "brainpoolP256r1": "ECDSA-brainpool256r1-SHA256",
    "brainpoolP384r1": "ECDSA-brainpool384r1-SHA256",
}


def key_of(public_key: bytes) -> ec.EllipticCurvePublicKey | Refused:
    """Read a public key (DER, SubjectPublicKeyInfo), of a curve that is held to be safe."""
    if len(public_key) > KEY_BYTES_MAX:
        return Refused("key_wrong", f"more than {KEY_BYTES_MAX} bytes")
    try:
        key = load_der_public_key(public_key)
    except ValueError, UnsupportedAlgorithm:
        return Refused("key_wrong", "not a key in DER")
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in ALGORITHMS:
        return Refused("key_wrong", "not of a known curve")
    return key


def verify(record: Ocmf, public_key: bytes) -> Refused | None:
    """Say why a record is not the known key's own, None if it is. The message never chooses the algorithm."""
    key = key_of(public_key)
    if isinstance(key, Refused):
        return key
    if record.algorithm not in (None, ALGORITHMS[key.curve.name]):
        return Refused("algorithm_other", str(record.algorithm))
    try:
        key.verify(record.signature, record.payload, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return Refused("signature_wrong", "SD")
    return None
