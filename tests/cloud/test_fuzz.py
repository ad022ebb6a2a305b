"""Whatever is sent where a message belongs: it is refused by name, and never a mistake of ours."""

from base64 import b64encode
import json
from typing import Any
from urllib.parse import quote, urlencode

from hypothesis import HealthCheck, given, settings, strategies as st
import pytest
from yarl import URL

from cloud.wire import SIGNATURE_HEADER, Incident, PairingRequest, Tree, parse_settings

from .conftest import COMMUNITY, NOON, TREE, Cloud, Site

# junk is refused before it reaches a database, so one kind of it is enough
pytestmark = pytest.mark.parametrize("store", ["sqlite"], indirect=True)

EXAMPLES = 60
BOUNDED = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)

odd_texts = st.one_of(
    st.text(max_size=40),
    st.sampled_from(["", "\x00", "a\nb", "\ud800", "🜂", "A" * 101, "2026-02-30T00:00:00Z", "9" * 30, "island", ".."]),
)
odd_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), odd_texts),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(odd_texts, inner, max_size=4)),
    max_leaves=8,
)


def spots(data: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the way to every member of a message, itself included."""
    found = [place]
    if isinstance(data, dict):
        for key, member in data.items():
            found += spots(member, (*place, key))
    if isinstance(data, list):
        for key, member in enumerate(data):
            found += spots(member, (*place, key))
    return found


def changed(data: Any, place: tuple[Any, ...], value: Any, *, rename: bool) -> Any:
    """Return a message with something else at one place, or under another name there."""
    if not place:
        return value
    copy = dict(data) if isinstance(data, dict) else list(data)
    key, *rest = place
    if rename and not rest and isinstance(copy, dict) and isinstance(value, str):
        copy[value] = copy.pop(key)
    else:
        copy[key] = changed(copy[key], tuple(rest), value, rename=rename)
    return copy


def raw_of(data: Any) -> bytes:
    """Write JSON as loosely as a careless program does: NaN, lone surrogates and all."""
    return json.dumps(data).encode()


@st.composite
def broken(draw: st.DrawFn, good: Any) -> bytes:
    """Draw a message that is good but for one place, or but for some bytes."""
    place = draw(st.sampled_from(spots(good)))
    raw = raw_of(changed(good, place, draw(odd_values), rename=draw(st.booleans())))
    if draw(st.integers(0, 3)) == 0:
        at, length = draw(st.integers(0, len(raw))), draw(st.integers(0, 4))
        raw = raw[:at] + draw(st.binary(max_size=4)) + raw[at + length :]
    return raw


INCIDENT = Incident(NOON, "clock-offset", "main", "3 s")
BATCH = json.loads(Site(None).batch(count=2, incidents=(INCIDENT,)))  # type: ignore[arg-type]
TREE_DATA = json.loads(json.dumps(Tree("s", 2, 0, TREE).plain()))
PAIRING = PairingRequest("code", "Home", "Europe/Berlin", "k" * 43, 52_000_000, 13_000_000).plain()
OPERATORS: dict[str, Any] = {
    "": {"name": "R", "time_zone": "UTC", "interval_seconds": 1800, "currency": "EUR", "points_per_unit": 100},
    "/owners/anna": {"name": "Anna", "mail": "anna@example.org", "phone": "+4930123456", "language": "ja"}
    | {"address": {"lines": ["Elm Street 1"], "postal_code": "10115", "city": "Berlin", "country": "DE"}}
    | {"payment": {"provider": "stripe", "token": "pm_1Nxyz"}, "prepaid": True},
    "/invitations": {"uses_max": 3},
    "/clients": {"scope": "owner", "owner": "anna", "name": "Phone"},
    "/tariffs/2026-12-01T00:00:00Z": {"local": "20", "grid_buy": "30", "grid_sell": None},
    "/owners/anna/tariffs/2026-12-01T00:00:00Z": {"kind": "time_of_use", "grid_buy": "30", "grid_sell": "8"}
    | {"rules": [{"weekdays": ["mon"], "from_time": "22:00", "to_time": "06:00", "grid_buy": "1", "grid_sell": "0"}]},
    "/tariffs/2026-12-02T00:00:00Z/prices": {
        "prices": [
            {"start": "2026-12-02T00:00:00Z", "seconds": 1800, "local": None, "grid_buy": "1", "grid_sell": "-1"},
        ]
    },
    "/hub/sources/maker-1": {"name": "M", "driver": "rest", "every_seconds": 60, "secrets": {"token": "t"}}
    | {"devices": {}, "new_devices": "meter", "restart": True}
    | {"description": {"url": "https://api.example.org/{device}", "auth": {"kind": "bearer"}}},
    "/pairing-codes": {"main_owner": "anna", "time_scale": 1},
    "/sites/{site}/quarantine/lift": {"note": "why"},
    "/grid/equipment/F1": {"name": "F", "kind": "feeder", "above": None, "limit_a": 63, "nominal_mv": 230_000}
    | {"phases": 3, "sites": [], "devices": []},
    "/grid/limits": {"limits": [{"quantity": "voltage", "nominal": 230_000, "below_percent": 10, "point": "l1"}]},
    "/devices": {"device": "meter-1", "kind": "meter", "name": "Hall", "maker": "Acme", "model": "M1"}
    | {"latitude_e6": 52_520_008, "longitude_e6": 13_404_954, "site": "s", "format": "unified", "currency": "EUR"},
    "/hub/policy": {"events_days": 400, "messages_days": 90},
}


def of(site: Site, raw: bytes) -> bytes:
    """Return a message drawn before its site was known as one of this site."""
    return raw.replace(b'"site": ""', f'"site": "{site.site}"'.encode()).replace(
        b'"site": "s"', f'"site": "{site.site}"'.encode()
    )


@BOUNDED
@given(raw=broken(BATCH))
async def test_no_batch_breaks_the_cloud(site: Site, raw: bytes) -> None:
    """Well signed nonsense is created, held or refused; the same again says the same."""
    first, second = await site.post(of(site, raw)), await site.post(of(site, raw))
    assert first.status < 500
    assert second.status < 500
    if first.status < 300:
        assert second.json["result"] == "exists"


@BOUNDED
@given(raw=broken(TREE_DATA))
async def test_no_tree_breaks_the_cloud(site: Site, raw: bytes) -> None:
    """Also a tree of loops, strange names and unknown owners."""
    assert (await site.send("PUT", f"/v1/sites/{site.site}/tree", of(site, raw))).status < 500


@BOUNDED
@given(raw=broken(PAIRING), forwarded=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40))
async def test_no_pairing_breaks_the_cloud(cloud: Cloud, raw: bytes, forwarded: str) -> None:
    """From whatever address it says it comes."""
    site = Site(cloud)
    raw = raw.replace(b"k" * 43, site.public_key.encode())
    cloud.clock.forward(600)  # else wrong codes would be refused before they are looked at
    headers = {SIGNATURE_HEADER: site.sign(raw), "X-Forwarded-For": forwarded}
    assert 400 <= (await cloud.call("POST", "/v1/sites", data=raw, headers=headers)).status < 500


@BOUNDED
@given(
    form=st.dictionaries(st.sampled_from(["grant_type", "client_id", "client_secret", "scope", "x"]), odd_texts),
    body=st.binary(max_size=40),
    basic=st.binary(max_size=40),
    kind=st.integers(0, 2),
)
async def test_no_form_breaks_the_cloud(
    cloud: Cloud, form: dict[str, str], body: bytes, basic: bytes, kind: int
) -> None:
    """A client is asked for by whatever name."""
    pairs = {name: value.encode("utf-8", "surrogatepass") for name, value in form.items()}
    sent = urlencode(pairs | ({"grant_type": b"client_credentials"} if kind else {})).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if kind == 2:
        headers["Authorization"] = f"Basic {b64encode(basic).decode()}"
    raw = body if kind == 0 else sent
    assert 400 <= (await cloud.call("POST", "/v1/token", data=raw, headers=headers)).status < 500


@BOUNDED
@given(raw=broken({"code": "0000-0000-0000-0000", "owner": "eve", "name": "Eve", "mail": "eve@example.org"}))
async def test_no_registration_breaks_the_cloud(cloud: Cloud, raw: bytes) -> None:
    """Whoever stands before the door without a token."""
    cloud.clock.forward(600)  # else wrong codes would be refused before they are looked at
    assert 400 <= (await cloud.call("POST", "/v1/owners", data=raw)).status < 500


@BOUNDED
@given(data=st.data(), way=st.sampled_from(sorted(OPERATORS)))
async def test_no_operator_breaks_the_cloud(site: Site, data: st.DataObject, way: str) -> None:
    """Whoever may do much may still mistype."""
    token = await site.cloud.token("operator", site.cloud.operator_secret)
    path, raw = f"/v1/communities/{COMMUNITY}{way}".replace("{site}", site.site), data.draw(broken(OPERATORS[way]))
    method = "POST" if way.endswith(("codes", "lift", "invitations", "clients", "prices", "devices")) else "PUT"
    assert (await site.cloud.call(method, path, token=token, data=raw)).status < 500
    assert parse_settings((await site.get("settings")).raw).community == COMMUNITY


@BOUNDED
@given(
    parts=st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=12), min_size=4, max_size=4),
    after=odd_texts,
    limit=st.one_of(odd_texts, st.integers().map(str)),
    way=st.integers(0, 9),
)
async def test_no_path_or_query_breaks_the_cloud(
    site: Site, parts: list[str], after: str, limit: str, way: int
) -> None:
    """Every character that can be written into a path, and pages that begin and end anywhere."""
    one, two, *_ = (quote(part, safe="") for part in parts)
    operator = f"/v1/communities/{one}"
    here = f"/v1/communities/{COMMUNITY}"
    query = urlencode({"after": after.encode("utf-8", "replace"), "limit": limit.encode("utf-8", "replace")})
    method, path = [
        ("PUT", f"{operator}"),
        ("GET", f"{operator}/sites"),
        ("PUT", f"{here}/owners/{two}"),
        ("PUT", f"{here}/tariffs/{two}"),
        ("GET", f"{here}/owners/{two}/statement"),
        ("POST", f"{here}/sites/{one}/keys/{two}/revoke"),
        ("POST", f"{here}/sites/{one}/quarantine/lift"),
        ("GET", f"{here}/sites/{site.site}/held?{query}"),
        ("GET", f"{here}/sites?{query}"),
        ("GET", f"{here}/settlements?{query}"),
    ][way]
    token = await site.cloud.token("operator", site.cloud.operator_secret)
    url = URL(f"http://127.0.0.1:{site.cloud.client.port}{path}", encoded=True)
    headers = {"Authorization": f"Bearer {token}"}
    async with site.cloud.client.session.request(method, url, data=b"{}", headers=headers) as response:
        assert response.status < 500
