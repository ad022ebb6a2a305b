"""Records in the Open Charge Metering Format: public ones are believed, altered ones are not, nonsense is refused."""

from decimal import Decimal
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings, strategies as st
import pytest

from custom_components.commonwatt.v2g import key_of, verify
from custom_components.commonwatt.wire import (
    Ocmf,
    Reason,
    Refused,
    SignedInterval,
    follows,
    parse_ocmf,
    signed_interval,
)
from custom_components.commonwatt.wire.ocmf import TEXT_BYTES_MAX

from .papers import EXPORT, HALF_HOUR, PUBLIC, key, payload, public, reading, sign


def record(text: str) -> Ocmf:
    """Read a record that must hold to the format."""
    read = parse_ocmf(text)
    assert isinstance(read, Ocmf), read
    return read


def interval(*readings: dict[str, Any], **changes: Any) -> SignedInterval | Refused:
    """Return the interval of a record with these readings."""
    return signed_interval(record(sign(payload(*readings, **changes))))


def reason(outcome: object) -> Reason | None:
    """Return why something was refused."""
    return outcome.reason if isinstance(outcome, Refused) else None


def believed(text: str, public_key: bytes) -> bool:
    """Tell whether a text is a record signed by the key."""
    read = parse_ocmf(text)
    return isinstance(read, Ocmf) and verify(read, public_key) is None


@pytest.mark.parametrize("name", PUBLIC)
def test_public_records_of_others_verify_with_their_published_keys(name: str) -> None:
    """A charger's own record and another implementation's: both read, both hold."""
    assert believed(PUBLIC[name]["record"], bytes.fromhex(PUBLIC[name]["public_key"]))


def test_a_real_chargers_record_says_what_it_says() -> None:
    """The KEBA's record of 2019: number, serial, times and registers, its 0.1 Wh floored at each end."""
    read = record(PUBLIC["keba_kcp30"]["record"])
    assert (read.context, read.number, read.serial, read.user) == ("T", 32, "17619300", None)
    assert [one.register_wh for one in read.readings] == [Decimal("259.6"), Decimal("259.7")]
    assert [one.clock for one in read.readings] == ["I", "R"]
    # 2019-08-13T10:03:15Z
    assert signed_interval(read) == SignedInterval("17619300", 32, None, 1565690595, 21, 0, 0, 259, 0)


def test_the_key_of_another_charger_proves_nothing() -> None:
    """A sound record under the wrong key is refused."""
    read = record(PUBLIC["keba_kcp30"]["record"])
    assert reason(verify(read, bytes.fromhex(PUBLIC["ocmf_js"]["public_key"]))) == "signature_wrong"


@pytest.mark.parametrize("name", PUBLIC)
def test_any_other_byte_at_any_place_of_a_public_record_is_refused(name: str) -> None:
    """One bit, in the payload or in the signature, and nothing of the record is believed."""
    text, public_key = PUBLIC[name]["record"], bytes.fromhex(PUBLIC[name]["public_key"])
    raw = text.encode()
    for place in range(len(raw)):
        for bit in range(8):
            altered = raw[:place] + bytes([raw[place] ^ (1 << bit)]) + raw[place + 1 :]
            assert not believed(altered.decode("latin-1"), public_key), (place, bit)


@settings(max_examples=300, deadline=None)
@given(st.integers(min_value=0), st.integers(0, 255), st.sampled_from(["replace", "insert", "drop"]))
def test_an_altered_record_of_our_own_is_refused(place: int, byte: int, how: str) -> None:
    """Replaced, inserted or dropped bytes: refused, unless they changed nothing or only space around the signature."""
    text = sign(payload(), SA="ECDSA-secp256r1-SHA256")
    raw = text.encode()
    at = place % len(raw)
    rest = raw[at + (how != "insert") :]
    altered = raw[:at] + (b"" if how == "drop" else bytes([byte])) + rest
    unchanged = altered == raw or (at > text.rindex("|") and altered.split(b"|")[:2] == raw.split(b"|")[:2])
    read = parse_ocmf(altered.decode("latin-1"))
    if isinstance(read, Ocmf) and verify(read, public()) is None:
        assert unchanged
        assert read.signature == record(text).signature


@settings(max_examples=300, deadline=None)
@given(st.text() | st.text(alphabet='OCMF|{}[]":,SDRVTM0123456789.eE- \\').map(lambda text: f"OCMF|{text}|{{}}"))
def test_no_text_brings_the_reader_down(text: str) -> None:
    """Whatever a wire delivers is a record or refused with a reason, never an exception."""
    assert isinstance(parse_ocmf(text), Ocmf | Refused)


def test_half_an_hour_in_both_directions_becomes_one_interval() -> None:
    """Registers of four readings: 750 Wh towards the car, 60 Wh back, from 05:00 for half an hour."""
    assert interval() == SignedInterval("M-1", 7, "dora", 1795237200, 1800, 750, 60, 1000, 200)


def test_kwh_become_wh_without_a_rounding_of_binary_fractions() -> None:
    """0.29 kWh are 290 Wh, not 289; what is below a Wh is left for the next interval."""
    first = interval(reading("05:00:00", 0.29, RU="kWh"), reading("05:30:00", 4.0349, RU="kWh"))
    second = interval(reading("05:30:00", 4.0349, RU="kWh"), reading("06:00:00", 5.0001, RU="kWh"), PG="T8")
    assert isinstance(first, SignedInterval)
    assert isinstance(second, SignedInterval)
    assert (first.import_from_wh, first.import_wh, second.import_wh) == (290, 3744, 966)
    assert first.import_wh + second.import_wh == 5000 - 290
    assert follows(first, second)


@pytest.mark.parametrize(
    "change",
    [{"PG": "T9"}, {"MS": "M-2"}, {"RD": [reading("05:31:00", 1751), reading("06:00:00", 1800)]}],
    ids=["number", "serial", "register"],
)
def test_a_gap_between_two_intervals_is_seen(change: dict[str, Any]) -> None:
    """A number left out, another meter, or energy between the two: the second does not follow the first."""
    first = interval(reading("05:00:00", 1000), reading("05:30:00", 1750))
    plain = {"PG": "T8", "RD": [reading("05:30:00", 1750), reading("06:00:00", 1800)]}
    second, changed = interval(**plain), interval(**plain | change)
    assert isinstance(first, SignedInterval)
    assert isinstance(second, SignedInterval)
    assert isinstance(changed, SignedInterval)
    assert follows(first, second)
    assert not follows(first, changed)


def test_readings_outside_a_transaction_name_no_user() -> None:
    """Fiscal readings count in pages of their own, and say nothing of a reason or of a person."""
    begin, end = reading("05:00:00", 1000, TX=None), reading("05:30:00", 1750, TX=None)
    read = record(sign(payload(begin, end, PG="F3", IS=None, IT=None, ID=None)))
    assert (read.context, read.number, read.user, read.readings[0].event) == ("F", 3, None, None)
    found = signed_interval(read)
    assert isinstance(found, SignedInterval)
    assert (found.import_wh, found.user) == (750, None)


def test_what_a_reading_leaves_out_is_as_in_the_one_before() -> None:
    """Unit, quantity, state and reason hold on; the value and the time never do."""
    later = {"TM": "2026-11-21T05:30:00,000+0000 S", "RV": 1200}
    assert interval(reading("05:00:00", 1000), later) == SignedInterval(
        "M-1", 7, "dora", 1795237200, 1800, 200, 0, 1000, 0
    )
    no_value = {"TM": "2026-11-21T05:30:00,000+0000 S"}
    assert reason(interval(reading("05:00:00", 1000), no_value)) == "energy_unusable"
    assert reason(parse_ocmf(sign(payload(reading("05:00:00", 1000), {"RV": 1200})))) == "member_missing"


@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        ([reading("05:00:00", 1), reading("05:30:00", 2, ST="T")], "meter_not_good"),
        ([reading("05:00:00", 1), reading("05:30:00", 2, EF="E")], "energy_unusable"),
        ([reading("05:00:00", 1), reading("05:30:00", 2, TX="X")], "energy_unusable"),
        ([reading("05:00:00", 1), reading("05:30:00", 2, TM="2026-11-21T05:30:00,000+0000 U")], "clock_unsure"),
        ([reading("05:00:00", 1)], "not_an_interval"),
        ([reading("05:00:00", 1), reading("05:00:00", 2)], "not_an_interval"),
        ([reading("05:30:00", 1), reading("05:00:00", 2)], "not_an_interval"),
        ([reading("05:00:00", 1, RI="1-b:9.9.9"), reading("05:30:00", 2)], "not_an_interval"),
        ([reading("05:00:00", 1, **EXPORT), reading("05:30:00", 2, **EXPORT)], "not_an_interval"),
        ([*HALF_HOUR[:3], reading("05:29:00", 260, **EXPORT)], "not_an_interval"),
        ([reading("05:00:00", 2), reading("05:30:00", 1)], "backward"),
        ([*HALF_HOUR[:3], reading("05:30:00", 199, **EXPORT)], "backward"),
    ],
)
def test_a_record_that_is_no_interval_says_why(readings: list[dict[str, Any]], expected: Reason) -> None:
    """A meter in trouble, a clock nobody set, times or registers that go back: never paid energy."""
    assert reason(interval(*readings)) == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"FV": "2.0"}, "member_wrong"),
        ({"PG": None}, "member_missing"),
        ({"PG": "T07"}, "member_wrong"),
        ({"PG": "X7"}, "member_wrong"),
        ({"MS": None, "GS": None}, "member_missing"),
        ({"MS": 7}, "member_wrong"),
        ({"IS": None}, "member_missing"),
        ({"IS": "yes"}, "member_wrong"),
        ({"ID": "a" * 251}, "member_wrong"),
        ({"ID": "line\nbreak"}, "member_wrong"),
        ({"RD": None}, "member_missing"),
        ({"RD": []}, "member_wrong"),
        ({"RD": [7]}, "member_wrong"),
        ({"RD": [reading("05:00:00", 1)] * 65}, "too_long"),
        ({"RD": [reading("05:00:00", -1)]}, "member_wrong"),
        ({"RD": [reading("05:00:00", 10**16)]}, "member_wrong"),
        ({"RD": [reading("05:00:00", 1, RV="1")]}, "member_wrong"),
        ({"RD": [reading("05:00:00", 1, RV=True)]}, "member_wrong"),
        ({"RD": [reading("05:00:00", 1, RU="J")]}, "member_wrong"),
        ({"RD": [reading("05:00:00", 1, RU=None)]}, "member_missing"),
        ({"RD": [reading("05:00:00", 1, ST=None)]}, "member_missing"),
        ({"RD": [reading("05:00:00", 1, ST="Q")]}, "member_wrong"),
        ({"RD": [reading("05:00:00", 1, TX="Z")]}, "member_wrong"),
        ({"RD": [reading("05:00:00", 1, EF="Q")]}, "member_wrong"),
        ({"RD": [reading("05:00:00", 1, TM="2026-02-30T05:00:00,000+0000 S")]}, "member_wrong"),
        ({"RD": [reading("05:00:00", 1, TM="2026-11-21T05:00:00.000+00:00 S")]}, "member_wrong"),
        ({"RD": [reading("05:00:00", 1, TM="0001-01-01T00:00:00,000+2359 S")]}, "member_wrong"),
    ],
)
def test_a_record_that_does_not_hold_to_the_format_is_refused(change: dict[str, Any], expected: Reason) -> None:
    """Every field that is needed must be there, and be what the format says."""
    assert reason(parse_ocmf(sign(payload(**change)))) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "not_ocmf"),
        ("OCMF|{}", "not_ocmf"),
        ("OCMF|{}|{}|", "not_ocmf"),
        ("ocmf|{}|{}", "not_ocmf"),
        ("OCMF|\ud800|{}", "not_ocmf"),
        ("OCMF|[]|{}", "not_json"),
        ("OCMF|{|{}", "not_json"),
        ('OCMF|{"PG":"T1","PG":"T2"}|{}', "not_json"),
        ('OCMF|{"PG":NaN}|{}', "not_json"),
        ("OCMF|" + "[" * 4000 + "|{}", "not_json"),
        ("OCMF|" + "é" * TEXT_BYTES_MAX + "|{}", "too_long"),
    ],
)
def test_what_is_no_record_is_refused(text: str, expected: Reason) -> None:
    """Sections, JSON, members named twice, endless texts."""
    assert reason(parse_ocmf(text)) == expected


@pytest.mark.parametrize("value", ["1E999999999", "1e-999999999", "0.0000000001"])
def test_a_short_text_of_an_endless_number_is_refused(value: str) -> None:
    """A register is a plain decimal; no exponent makes the reader count for ever."""
    text = json.dumps(payload(reading("05:00:00", 1))).replace('"RV": 1,', f'"RV": {value},')
    assert reason(parse_ocmf(sign(text))) == "member_wrong"


@pytest.mark.parametrize(
    ("signature", "expected"),
    [
        ({"SE": "base64"}, "member_wrong"),
        ({"SM": "application/pdf"}, "member_wrong"),
        ({"SD": None}, "member_missing"),
        ({"SD": "3045z"}, "member_wrong"),
        ({"SD": "aB" * 70}, "member_wrong"),
        ({"SD": "AB" * 200}, "member_wrong"),
        ({"XX": "a note"}, "member_wrong"),
    ],
)
def test_a_signature_section_says_only_what_is_needed(signature: dict[str, Any], expected: Reason) -> None:
    """Nothing protects the section, so nothing else is let in."""
    assert reason(parse_ocmf(sign(payload(), **signature))) == expected


@pytest.mark.parametrize("curve", [ec.SECP256K1, ec.SECP384R1, ec.BrainpoolP256R1, ec.BrainpoolP384R1])
def test_the_known_key_chooses_the_algorithm(curve: type[ec.EllipticCurve]) -> None:
    """Every curve that is held to be safe works; a record that names another than the key's is refused."""
    assert believed(sign(payload(), curve), public(curve))
    assert believed(sign(payload(), curve), public()) is False
    named = record(sign(payload(), curve, SA="ECDSA-secp256r1-SHA256"))
    assert reason(verify(named, public(curve))) == "algorithm_other"
    assert reason(verify(record(sign(payload(), SA="none")), public())) == "algorithm_other"


@pytest.mark.parametrize(
    "public_key",
    [
        b"",
        b"\x30" * 91,
        public() + b"\0" * 60,
        key(ec.SECP224R1).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    ],
    ids=["empty", "noise", "too long", "weak", "other kind"],
)
def test_what_is_no_key_of_a_known_curve_verifies_nothing(public_key: bytes) -> None:
    """A key that is none is the refusal, not an exception."""
    assert reason(key_of(public_key)) == "key_wrong"
    assert reason(verify(record(sign(payload())), public_key)) == "key_wrong"
