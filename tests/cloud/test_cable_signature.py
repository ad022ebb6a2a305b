"""A record is believed by the registered key alone, on every curve of the register map."""

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
import pytest

from cloud.v2g.cables.signature import ALGORITHMS, key_of, key_text, proven, shows_other_key, verify
from cloud.wire import Ocmf, Refused, parse_ocmf
from demo.signed import SignedIntervals

CURVES: list[ec.EllipticCurve] = [
    ec.SECP256R1(),
    ec.SECP256K1(),
    ec.SECP384R1(),
    ec.BrainpoolP256R1(),
    ec.BrainpoolP384R1(),
]


def text_of(key: ec.EllipticCurvePublicKey, point: PublicFormat = PublicFormat.SubjectPublicKeyInfo) -> str:
    """Return a public key in hexadecimal."""
    return key.public_bytes(Encoding.DER, point).hex()


def payload() -> str:
    """Return a payload as a cable signs it."""
    cable = SignedIntervals("CWC-1")
    cable.close((0, 1_800_000), (5, 5), (9, 5), "dora", "C")
    return cable.record(1).split("|")[1]


def record(key: ec.EllipticCurvePrivateKey, algorithm: str | None) -> str:
    """Return a record signed with a key under the name of an algorithm."""
    said = payload()
    named = f'"SA":"{algorithm}",' if algorithm else ""
    return f'OCMF|{said}|{{{named}"SD":"{key.sign(said.encode(), ec.ECDSA(SHA256())).hex()}"}}'


def parsed(text: str) -> Ocmf:
    """Return a record, read."""
    found = parse_ocmf(text)
    assert isinstance(found, Ocmf)
    return found


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_every_curve_of_the_map_is_taken(curve: ec.EllipticCurve) -> None:
    """With its own name, with none, and with no other; the key says which algorithm holds."""
    private = ec.generate_private_key(curve)
    key = key_of(text_of(private.public_key()))
    assert isinstance(key, ec.EllipticCurvePublicKey)
    for algorithm in (ALGORITHMS[curve.name], None):
        assert verify(parsed(record(private, algorithm)), key) is None
    other = next(name for name in ALGORITHMS.values() if name != ALGORITHMS[curve.name])
    assert verify(parsed(record(private, other)), key) == Refused("algorithm_other", other)
    stranger = ec.generate_private_key(curve)
    assert verify(parsed(record(stranger, None)), key) == Refused("signature_wrong", "SD")


def test_a_changed_record_is_refused() -> None:
    """Whatever is changed in what is signed."""
    private = ec.generate_private_key(ec.SECP256R1())
    good = record(private, None)
    for change in (("T1", "T2"), ('"RV":9', '"RV":8'), ("dora", "emil")):
        assert verify(parsed(good.replace(*change)), private.public_key()) == Refused("signature_wrong", "SD")


@pytest.mark.parametrize("curve", [ec.SECP521R1(), ec.SECP224R1(), ec.BrainpoolP512R1()], ids=lambda curve: curve.name)
def test_other_curves_are_refused(curve: ec.EllipticCurve) -> None:
    """They are not in the map, so no site would take them."""
    text = text_of(ec.generate_private_key(curve).public_key())
    assert key_of(text) in (Refused("key_wrong", "not of a known curve"), Refused("key_wrong", "more than 256 letters"))


@pytest.mark.parametrize("text", ["", "zz", "00", "30" * 60, "0" * 258, "é" * 10])
def test_what_is_no_key_is_refused(text: str) -> None:
    """By a reason, never by a crash."""
    assert isinstance(key_of(text), Refused)
    assert isinstance(proven("CWC-1", text, "OCMF|{}|{}"), Refused)


def test_one_key_is_one_key_however_it_is_written() -> None:
    """With a compressed point or in capitals: it is not registered twice."""
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    whole = text_of(key)
    point = key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    head = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200")
    for written in (whole, whole.upper(), (head + point).hex()):
        found = key_of(written)
        assert isinstance(found, ec.EllipticCurvePublicKey)
        assert key_text(found) == whole
        assert not shows_other_key(written, whole)
    assert shows_other_key(text_of(ec.generate_private_key(ec.SECP256R1()).public_key()), whole)
    assert shows_other_key("00", whole)
    assert not shows_other_key(None, whole)
