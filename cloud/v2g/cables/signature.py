"""Public keys of cables: which are taken, and whether a record is signed with one."""

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from cloud.wire import Ocmf, Refused, parse_ocmf
from cloud.wire.cable import KEY_LETTERS_MAX

# by the key's curve: the key says which algorithm holds, and a record may name that one or none
ALGORITHMS = {
    "secp256r1": "ECDSA-secp256r1-SHA256",
    "secp256k1": "ECDSA-secp256k1-SHA256",
    "secp384r1": "ECDSA-secp384r1-SHA256",
    "brainpoolP256r1": "ECDSA-brainpool256r1-SHA256",
    "brainpoolP384r1": "ECDSA-brainpool384r1-SHA256",
}


def key_of(public_key: str) -> ec.EllipticCurvePublicKey | Refused:
    """Read a public key (hexadecimal of DER, SubjectPublicKeyInfo) of one of the curves of the register map."""
    if len(public_key) > KEY_LETTERS_MAX:
        return Refused("key_wrong", f"more than {KEY_LETTERS_MAX} letters")
    try:
        key = load_der_public_key(bytes.fromhex(public_key))
    except ValueError, UnsupportedAlgorithm:
        return Refused("key_wrong", "not a public key in DER, in hexadecimal")
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in ALGORITHMS:
        return Refused("key_wrong", "not of a known curve")
    return key


def key_text(key: ec.EllipticCurvePublicKey) -> str:
    """Return the one way in which a key is kept, so that it is not registered twice in two spellings."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo).hex()


def shows_other_key(shown: str | None, registered: str) -> bool:
    """Tell whether what is plugged in shows another key than the one that is registered: then it is no such cable."""
    if shown is None or shown.lower() == registered:
        return False
    key = key_of(shown)
    return isinstance(key, Refused) or key_text(key) != registered


def verify(record: Ocmf, key: ec.EllipticCurvePublicKey) -> Refused | None:
    """Say why a record is not signed with this key, None if it is."""
    if record.algorithm not in (None, ALGORITHMS[key.curve.name]):
        return Refused("algorithm_other", str(record.algorithm))
    try:
        key.verify(record.signature, record.payload, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return Refused("signature_wrong", "SD")
    return None


def proven(cable: str, public_key: str, ocmf: str) -> tuple[str, int] | Refused:
    """Return a cable's key as it is kept, and the number of the record that proves it to be this cable's.

    The record is signed with the key and names the cable's serial number, so who shows it has read it off a cable
    that holds the private half.
    """
    key = key_of(public_key)
    if isinstance(key, Refused):
        return key
    record = parse_ocmf(ocmf)
    if isinstance(record, Refused):
        return record
    if (refused := verify(record, key)) is not None:
        return refused
    if record.serial != cable:
        return Refused("member_wrong", "MS, which is not the cable's serial number")
    return key_text(key), record.number
