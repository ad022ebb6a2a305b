"""A second verifier, written by others, agrees with ours on every record: the format is not of our own making."""

import warnings

from hypothesis import given, settings, strategies as st
from pyocmf import OCMF, PyOCMFError, SpecWarning
import pytest

from cloud.v2g.cables.signature import key_of, verify
from cloud.wire import Ocmf, Refused, parse_ocmf
from demo.signed import SignedIntervals

from .cable_ground import SERIAL, START, SigningCable, found, host, look, period
from .conftest import COMMUNITY, INTERVAL, Cloud
from .people import BEN

SITE = "0199f000-0000-7000-8000-000000000001"


def ours(text: str, public_key: str) -> bool:
    """Tell whether the cloud believes a record."""
    record, key = parse_ocmf(text), key_of(public_key)
    assert not isinstance(key, Refused)
    return isinstance(record, Ocmf) and verify(record, key) is None


def theirs(text: str, public_key: str) -> bool:
    """Tell whether the other program does."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SpecWarning)  # it says what it thinks of letters that were changed
            return OCMF.from_string(text).verify_signature(public_key)
    except PyOCMFError:
        return False


def records(cable: SignedIntervals) -> list[str]:
    """Let a cable sign of everything that an interval may be."""
    place = 52_500_000, -13_400_000
    spans = (START * 1000, (START + INTERVAL) * 1000)
    for reason in "CSTEP":
        cable.close(spans, (5, 7), (1505, 7), "dora", reason, site=SITE, place=place, vehicle="EV-1")
    cable.close(spans, (5, 7), (5, 900), "", "C")
    cable.close(spans, (5, 7), (5, 7), "ドーラ", "C", began="B", site=SITE)
    return [cable.record(number) for number in range(1, cable.newest + 1)]


def test_both_accept_what_a_cable_signed() -> None:
    """With the same key, also the members that are the register map's own."""
    cable = SignedIntervals(SERIAL)
    for text in records(cable):
        assert ours(text, cable.public_key.hex())
        assert theirs(text, cable.public_key.hex()), text


CHANGES = [
    ('"RV":1505', '"RV":1506'),
    (SITE, SITE.replace("1", "2")),
    ("52500000", "52500001"),
    ("EV-1", "EV-2"),
    (":00,000+0000 S", ":01,000+0000 S"),
    ('"PG":"T1"', '"PG":"T9"'),
    (SERIAL, "CWC-000124"),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change[0])
def test_both_refuse_what_was_altered(change: tuple[str, str]) -> None:
    """Energy, place, car, time, number or cable; and a good record by another key."""
    cable = SignedIntervals(SERIAL)
    text = records(cable)[0]
    altered = text.replace(*change, 1)
    assert altered != text
    assert not ours(altered, cable.public_key.hex())
    assert not theirs(altered, cable.public_key.hex())
    stranger = SignedIntervals(SERIAL).public_key.hex()
    assert not ours(text, stranger)
    assert not theirs(text, stranger)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_neither_believes_a_record_with_any_letter_of_its_payload_changed(data: st.DataObject) -> None:
    """Wherever it is changed."""
    cable = SignedIntervals(SERIAL)
    text = records(cable)[0]
    payload = len("OCMF|"), text.rindex("|")
    place = data.draw(st.integers(payload[0], payload[1] - 1))
    letter = data.draw(st.sampled_from("0123456789abcxyz").filter(lambda drawn: drawn != text[place]))
    altered = text[:place] + letter + text[place + 1 :]
    assert not ours(altered, cable.public_key.hex())
    assert not theirs(altered, cable.public_key.hex())


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_what_the_cloud_gives_out_is_verified_by_the_other_program(cloud: Cloud) -> None:
    """A driver fetches the records and the key, and needs nothing of ours to believe them."""
    await cloud.found()
    cable, place = SigningCable(), await host(cloud)
    assert (await cable.register(cloud)).status == 201
    signed = [(SERIAL, cable.sign(START + at * INTERVAL, -100, site=place.id)) for at in range(3)]
    await place.report(START, [period(-100, at=at) for at in range(3)], signed, count=3)
    await look(cloud)
    assert await found(cloud) == []
    reply = await BEN.call(cloud, "GET", f"/v1/communities/{COMMUNITY}/cables/{SERIAL}/records")
    assert len(reply.json["records"]) == 3
    for item in reply.json["records"]:
        assert theirs(item["ocmf"], reply.json["public_key"])
