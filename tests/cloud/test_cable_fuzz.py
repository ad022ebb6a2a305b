"""Whatever is sent of a cable: it is refused by name, or kept as evidence, and never a mistake of ours."""

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given, strategies as st
import pytest

from cloud.v2g.records.store import signed_record_table
from cloud.wire import Visit

from .cable_ground import SERIAL, START, Host, SigningCable, host, kinds, look
from .conftest import COMMUNITY, INTERVAL, NOON, Cloud
from .people import BEN
from .test_fuzz import BOUNDED, broken, odd_values, raw_of

# junk is refused before it reaches a database, so one kind of it is enough
pytestmark = pytest.mark.parametrize("store", ["sqlite"], indirect=True)

CABLE = SigningCable()
BODY = CABLE.body()
VISIT = Visit(SERIAL, NOON, "main", CABLE.public_key, "dora", "EV-1", (52_500_000, 13_400_000)).plain()
PAYLOAD = BODY["ocmf"].split("|")[1]


@pytest.fixture
async def home(cloud: Cloud) -> Host:
    """Found a community with a site and a registered cable."""
    await cloud.found()
    home = await host(cloud)
    assert (await cloud.operator("POST", f"{COMMUNITY}/owners/ben/cables", BODY)).status == 201
    return home


@BOUNDED
@given(raw=broken(BODY))
async def test_no_registration_of_a_cable_breaks_the_cloud(home: Host, raw: bytes) -> None:
    """From an owner and from a site."""
    cloud = home.site.cloud
    path = f"/v1/communities/{COMMUNITY}/owners/ben/cables"
    assert (await cloud.call("POST", path, token=BEN.token(cloud), data=raw)).status < 500
    assert (await home.site.send("POST", f"/v1/sites/{home.id}/cables", raw)).status < 500


@BOUNDED
@given(raw=broken(VISIT))
async def test_no_visit_breaks_the_cloud(home: Host, raw: bytes) -> None:
    """Well signed nonsense."""
    assert (await home.site.send("POST", f"/v1/sites/{home.id}/visits", raw)).status < 500


@BOUNDED
@given(data=st.data(), value=odd_values)
async def test_no_record_breaks_the_cloud(home: Host, data: st.DataObject, value: object) -> None:
    """Not even one that the cable's own key has signed: whoever holds it may sign anything."""
    said = data.draw(st.sampled_from([PAYLOAD, PAYLOAD.replace('"T1"', '"T999999999999999999"')]))
    names = ("PG", "MS", "RD", "TM", "RV", "CI", "XP", "ID", "ST")
    name = data.draw(st.sampled_from(names))
    part = said.partition(f'"{name}":')
    odd = raw_of(value).decode()
    changed = f'{part[0]}"{name}":{odd},"was{name}":{part[2]}' if part[1] else said
    key = CABLE.signed._key
    mark = key.sign(changed.encode("utf-8", "replace"), ec.ECDSA(SHA256())).hex()
    reply = await home.report(None, records=[(SERIAL, f'OCMF|{changed}|{{"SD":"{mark}"}}'[:4096])])
    assert reply.status in (201, 400)
    await look(home.site.cloud)


async def test_the_junk_above_is_not_all_refused_for_its_signature(home: Host) -> None:
    """The control: a record as it is made above, but for the odd value, is kept."""
    key = CABLE.signed._key
    said = PAYLOAD.replace('"T1"', '"T2"')
    mark = key.sign(said.encode(), ec.ECDSA(SHA256())).hex()
    await home.report(START + INTERVAL, records=[(SERIAL, f'OCMF|{said}|{{"SD":"{mark}"}}')])
    await look(home.site.cloud)
    assert await home.site.cloud.count(signed_record_table) == 1
    assert await kinds(home.site.cloud) == []
