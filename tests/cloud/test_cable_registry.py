"""Cables are registered with a proof, once in the whole cloud, and what is said of them is kept."""

import asyncio

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
import pytest

from cloud.v2g.cables.cable import CABLES_OF_OWNER_MAX, CHANGES, may_become
from cloud.v2g.cables.store import cable_change_table, cable_key_table, cable_table
from cloud.wire import to_bytes

from .cable_ground import SERIAL, START, SigningCable, host, kept, look, period
from .conftest import COMMUNITY, OWNERS, Cloud, verified
from .people import ANNA, BEN, HILLSIDE, MANAGER

OF_BEN = "owners/ben/cables"


async def test_an_owner_registers_its_cable_with_a_record_it_signed(cloud: Cloud) -> None:
    """Once it is there, and the same again changes nothing."""
    await cloud.found()
    cable = SigningCable()
    reply = await BEN.call(cloud, "POST", OF_BEN, cable.body())
    assert (reply.status, reply.json["state"], reply.json["last_number"]) == (201, "active", 0)
    assert reply.json["public_key"] == cable.public_key
    cloud.clock.forward(60)
    again = await BEN.call(cloud, "POST", OF_BEN, cable.body())
    assert (again.status, again.json) == (200, reply.json)
    listed = await BEN.call(cloud, "GET", OF_BEN)
    assert listed.json == {"cables": [reply.json], "next": None}
    one = await MANAGER.call(cloud, "GET", f"{OF_BEN}/{SERIAL}")
    assert [(item["state"], item["role"]) for item in one.json["history"]] == [("active", "owner")]
    assert await cloud.count(cable_change_table) == 1


async def test_a_serial_number_and_a_key_are_each_registered_once_in_the_whole_cloud(cloud: Cloud) -> None:
    """By whomever and in whichever community; a key in capital letters is the same key."""
    await cloud.found()
    await cloud.found(HILLSIDE)
    cable = SigningCable()
    assert (await cable.register(cloud)).status == 201
    for community, owner in ((COMMUNITY, "anna"), (HILLSIDE, "ben")):
        assert (await cable.register(cloud, community, owner)).problem == "cable-taken"
    other = SigningCable(SERIAL)
    assert (await other.register(cloud)).problem == "cable-taken"
    twin = SigningCable("CWC-000124")
    twin.signed._key = cable.signed._key
    body = twin.body(public_key=cable.public_key.upper())
    assert (await cloud.operator("POST", f"{COMMUNITY}/{OF_BEN}", body)).problem == "cable-key-taken"
    assert await cloud.count(cable_table) == 1


async def test_of_those_who_register_at_once_one_is_told_yes(cloud: Cloud) -> None:
    """Two owners one cable, and one owner two cables that were given the same key."""
    await cloud.found()
    cable = SigningCable()
    cable.body()
    owners = await asyncio.gather(*(cable.register(cloud, owner=owner) for owner in OWNERS))
    assert sorted(reply.status for reply in owners) == [201, 409, 409]
    first, second = SigningCable("CWC-1"), SigningCable("CWC-2")
    second.signed._key = first.signed._key
    keys = await asyncio.gather(first.register(cloud, owner="anna"), second.register(cloud, owner="sun"))
    assert sorted(reply.status for reply in keys) == [201, 409]
    assert await cloud.count(cable_table) == 2
    assert await cloud.count(cable_key_table) == 2


async def test_only_a_record_of_that_very_cable_proves_its_key(cloud: Cloud) -> None:
    """Another cable's, another serial number's, a changed one, no record at all: refused by name."""
    await cloud.found()
    cable, other = SigningCable(), SigningCable("CWC-9")
    record = cable.body()["ocmf"]
    wrong = [
        cable.body(ocmf=other.body()["ocmf"]),
        cable.body(cable="CWC-9"),
        cable.body(public_key=other.public_key),
        cable.body(ocmf=record.replace("1000000", "2000000", 1)),
        cable.body(ocmf="OCMF|{}|{}"),
        cable.body(public_key="00" * 64),
        cable.body(public_key=Ed25519PrivateKey.generate().public_key().public_bytes(*DER).hex()),
        cable.body(public_key=ec.generate_private_key(ec.SECP256K1()).public_key().public_bytes(*DER).hex()),
    ]
    for body in wrong:
        reply = await cloud.operator("POST", f"{COMMUNITY}/{OF_BEN}", body)
        assert (reply.status, reply.problem) == (422, "cable-proof-refused"), body
    for body in (cable.body(cable="no id"), cable.body(public_key="xyz"), {"cable": SERIAL}):
        assert (await cloud.operator("POST", f"{COMMUNITY}/{OF_BEN}", body)).problem == "malformed"
    assert (await cable.register(cloud, owner="nobody")).status == 404
    assert (await cable.register(cloud, community="nowhere")).status == 404
    assert await cloud.count(cable_table) == 0


DER = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_an_owner_has_so_many_cables_and_no_more(cloud: Cloud) -> None:
    """Listed by pages, each once."""
    await cloud.found()
    for number in range(CABLES_OF_OWNER_MAX):
        assert (await SigningCable(f"C{number:02}").register(cloud)).status == 201
    assert (await SigningCable("C99").register(cloud)).problem == "unprocessable"
    assert (await SigningCable("C98").register(cloud, owner="anna")).status == 201
    names: list[str] = []
    after: str | None = ""
    while after is not None:
        page = (await BEN.call(cloud, "GET", f"{OF_BEN}?limit=20&after={after}")).json
        names += [item["cable"] for item in page["cables"]]
        after = page["next"]
    assert names == [f"C{number:02}" for number in range(CABLES_OF_OWNER_MAX)]


async def test_a_stolen_cable_is_used_again_only_when_staff_says_why(cloud: Cloud) -> None:
    """Every change stands in the history with who made it; saying it twice is saying it once."""
    await cloud.found()
    assert (await SigningCable().register(cloud)).status == 201
    here = f"{OF_BEN}/{SERIAL}"
    cloud.clock.forward(10)
    stolen = await BEN.call(cloud, "POST", f"{here}/stolen", {"note": "gone from the car park"})
    assert (stolen.status, stolen.json["state"]) == (200, "stolen")
    cloud.clock.forward(10)
    assert (await BEN.call(cloud, "POST", f"{here}/stolen", {})).json == stolen.json
    assert (await BEN.call(cloud, "POST", f"{here}/recovered", {"note": "here"})).status == 403
    assert (await MANAGER.call(cloud, "POST", f"{here}/recovered", {})).problem == "malformed"
    back = await MANAGER.call(cloud, "POST", f"{here}/recovered", {"note": "found by the police"})
    assert back.json["state"] == "active"
    history = (await BEN.call(cloud, "GET", here)).json["history"]
    said = [(item["state"], item["role"], item["note"]) for item in history]
    assert said == [
        ("active", "manager", "found by the police"),
        ("stolen", "owner", "gone from the car park"),
        ("active", "operator", None),
    ]


async def test_a_revoked_key_is_revoked_for_good(cloud: Cloud) -> None:
    """Neither recovered nor stolen any more, and its key and number stay taken."""
    await cloud.found()
    cable = SigningCable()
    assert (await cable.register(cloud)).status == 201
    here = f"{OF_BEN}/{SERIAL}"
    assert (await BEN.call(cloud, "POST", f"{here}/revoke", {})).json["state"] == "revoked"
    for what in ("recovered", "stolen"):
        assert (await MANAGER.call(cloud, "POST", f"{here}/{what}", {"note": "no"})).problem == "cable-state"
    assert (await cable.register(cloud, owner="anna")).problem == "cable-taken"
    assert (await cable.register(cloud)).json["state"] == "revoked"


async def test_a_number_that_somebody_else_has_taken_is_free_again_once_that_key_is_revoked(cloud: Cloud) -> None:
    """Anybody can sign a stranger's serial number with a key of one's own; its cable is not kept out for good."""
    await cloud.found()
    await cloud.found(HILLSIDE)
    taker, cable = SigningCable(), SigningCable()
    assert (await taker.register(cloud, owner="anna")).status == 201
    assert (await cable.register(cloud)).problem == "cable-taken"
    path = f"owners/anna/cables/{SERIAL}/revoke"
    assert (await MANAGER.call(cloud, "POST", path, {"note": "not her cable"})).json["state"] == "revoked"
    taken = SigningCable("CWC-2")
    assert (await taken.register(cloud, owner="sun")).status == 201
    same = cable.body(public_key=taken.public_key, ocmf=under(taken, SERIAL))
    assert (await cloud.operator("POST", f"{COMMUNITY}/{OF_BEN}", same)).problem == "cable-key-taken"
    reply = await cable.register(cloud, HILLSIDE)
    assert (reply.status, reply.json["state"], reply.json["public_key"]) == (201, "active", cable.public_key)
    told = await cloud.operator("GET", f"{HILLSIDE}/{OF_BEN}/{SERIAL}")
    assert [item["state"] for item in told.json["history"]] == ["active", "revoked", "active"]
    assert (await taker.register(cloud, owner="anna")).problem == "cable-taken"
    place = await host(cloud)
    assert (await place.plug(cable)).json["permission"] == "allowed"
    await place.report(START, [period(5)], [(SERIAL, cable.sign(START, 5, site=place.id))])
    await look(cloud)
    assert [item.energy_wh for item in await kept(cloud)] == [5]
    revoked = await cloud.operator("POST", f"{HILLSIDE}/{OF_BEN}/{SERIAL}/revoke", {"note": "lost"})
    assert revoked.json["state"] == "revoked"
    assert (await SigningCable().register(cloud)).problem == "cable-taken", "what it signed stays its own"


def under(cable: SigningCable, serial: str) -> str:
    """Return a record of another serial number, signed with a cable's key."""
    other = SigningCable(serial)
    other.signed._key = cable.signed._key
    return str(other.body()["ocmf"])


def test_what_a_cable_may_become() -> None:
    """Whatever was said of it, nothing leads away from a revoked key."""
    assert not any(may_become("revoked", state) for state in CHANGES)
    assert may_become("two-places", "active")
    assert may_become("stolen", "active")
    assert not may_become("stolen", "two-places")


async def test_another_owner_finds_no_cable_there(cloud: Cloud) -> None:
    """Neither to see nor to report stolen."""
    await cloud.found()
    assert (await SigningCable().register(cloud)).status == 201
    for method, path, body in (("GET", "", None), ("POST", "/stolen", {}), ("POST", "/revoke", {})):
        reply = await ANNA.call(cloud, method, f"owners/anna/cables/{SERIAL}{path}", body)
        assert reply.problem == "not-found"
    assert (await ANNA.call(cloud, "GET", OF_BEN)).status == 403
    assert (await cloud.rows(cable_table))[0].state == "active"


async def test_a_site_registers_for_its_main_owner_and_reports_only_its_own_stolen(cloud: Cloud) -> None:
    """What it is answered is signed; another site's word on the cable counts for nothing."""
    await cloud.found()
    await cloud.found(HILLSIDE)
    home, stranger = await host(cloud), await host(cloud, HILLSIDE)
    cable = SigningCable()
    path = f"/v1/sites/{home.id}/cables"
    assert (await cloud.call("POST", path, token=home.site.token, json=cable.body())).problem == "signature-refused"
    reply = await home.site.send("POST", path, to_bytes(cable.body()))
    assert (reply.status, verified(cloud, reply)["owner"]) == (201, "anna")
    there = f"/v1/sites/{stranger.id}/cables/{SERIAL}/stolen"
    assert (await stranger.site.send("POST", there, b"{}")).problem == "not-found"
    here = await home.site.send("POST", f"{path}/{SERIAL}/stolen", b'{"note":"gone"}')
    assert verified(cloud, here)["state"] == "stolen"
    (change,) = await cloud.rows(cable_change_table, state="stolen")
    assert (change.by, change.role, change.note) == (home.id, "site", "gone")


async def test_the_number_of_the_proof_is_kept(cloud: Cloud) -> None:
    """It may be any record: the cable need not be new."""
    await cloud.found()
    cable = SigningCable()
    for number in range(3):
        cable.sign(START - (10 - number) * 1800)
    reply = await cloud.operator("POST", f"{COMMUNITY}/{OF_BEN}", cable.body(ocmf=cable.signed.record(3)))
    assert reply.status == 201
    assert (await cloud.rows(cable_table))[0].first_number == 3
