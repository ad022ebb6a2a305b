"""Access tokens: who asks rightly gets one, and nothing else opens a door."""

from collections.abc import Callable
import hashlib
import hmac
import json
from typing import Any

from aiohttp import encode_basic_auth
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
import jwt
import pytest

from cloud.sites.access.credentials import TOKEN_SECONDS, TOKEN_TYPE
from cloud.wire import base64url, to_bytes

from .conftest import COMMUNITY, NOON, Cloud, Site

FORM = {"grant_type": "client_credentials"}
type Forge = Callable[[Cloud, Site], str]


def claims(site: Site, **changes: Any) -> dict[str, Any]:
    """Return the claims of a good token of this site, changed."""
    good = {"iss": "http://cloud.test", "aud": "http://cloud.test", "sub": site.site, "scope": "site"}
    changed = good | {"iat": NOON, "exp": NOON + 60, "community": COMMUNITY} | changes
    return {name: value for name, value in changed.items() if value is not None}


def signed(cloud: Cloud, site: Site, **changes: Any) -> str:
    """Sign claims with the cloud's own key: what a mistake of ours could have made."""
    headers = {"typ": changes.pop("typ", TOKEN_TYPE)}
    return jwt.encode(claims(site, **changes), cloud.key.private_key, "EdDSA", headers=headers)


def hs256(cloud: Cloud, site: Site) -> str:
    """Sign with the cloud's public key as if it were a shared secret."""
    header = base64url(json.dumps({"alg": "HS256", "typ": TOKEN_TYPE}).encode())
    signing = f"{header}.{base64url(json.dumps(claims(site)).encode())}"
    public = cloud.key.private_key.public_key().public_bytes_raw()
    return f"{signing}.{base64url(hmac.new(public, signing.encode(), hashlib.sha256).digest())}"


FORGED: dict[str, Forge] = {
    "no algorithm": lambda _, site: jwt.encode(claims(site), "", "none", headers={"typ": TOKEN_TYPE}),
    "the public key as secret": hs256,
    "another key": lambda _, site: jwt.encode(
        claims(site), Ed25519PrivateKey.generate(), "EdDSA", headers={"typ": TOKEN_TYPE}
    ),
    "no end": lambda cloud, site: signed(cloud, site, exp=None),
    "no issuer": lambda cloud, site: signed(cloud, site, iss=None),
    "no subject": lambda cloud, site: signed(cloud, site, sub=None),
    "no scope": lambda cloud, site: signed(cloud, site, scope=None),
    "past its end": lambda cloud, site: signed(cloud, site, exp=NOON),
    "from the future": lambda cloud, site: signed(cloud, site, iat=NOON + 61),
    "end is a text": lambda cloud, site: signed(cloud, site, exp="9999999999"),
    "another audience": lambda cloud, site: signed(cloud, site, aud="http://other.test"),
    "audience among others": lambda cloud, site: signed(cloud, site, aud=["http://cloud.test", "http://other.test"]),
    "another issuer": lambda cloud, site: signed(cloud, site, iss="http://other.test"),
    "unknown scope": lambda cloud, site: signed(cloud, site, scope="everything"),
    "no token type": lambda cloud, site: signed(cloud, site, typ="JWT"),
    "a notice": lambda cloud, site: cloud.key.sign_compact(to_bytes(claims(site))),
    "cut off": lambda cloud, site: signed(cloud, site)[:-4],
    "not a token": lambda _cloud, _site: "x",
}


async def test_a_token_opens_its_own_site(cloud: Cloud, site: Site) -> None:
    """The control for all that follows: the good one works, also when made by hand."""
    assert (await site.get("head")).status == 200
    reply = await cloud.call("GET", f"/v1/sites/{site.site}/head", token=signed(cloud, site))
    assert reply.status == 200


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
async def test_a_forged_token_opens_nothing(cloud: Cloud, site: Site, forge: Forge) -> None:
    """Wrong algorithms, keys, times, audiences, and other things the cloud signs."""
    reply = await cloud.call("GET", f"/v1/sites/{site.site}/head", token=forge(cloud, site))
    assert (reply.status, reply.problem) == (401, "not-authorised")
    assert reply.headers["WWW-Authenticate"] == "Bearer"


async def test_a_token_expires(cloud: Cloud, site: Site) -> None:
    """After an hour a site asks anew."""
    cloud.clock.forward(TOKEN_SECONDS)
    assert (await site.get("head")).problem == "not-authorised"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "settings"),
        ("GET", "head"),
        ("PUT", "tree"),
        ("GET", "notices"),
        ("POST", "notices/x/ack"),
        ("GET", "ws"),
    ],
)
async def test_another_sites_token_opens_nothing(cloud: Cloud, site: Site, method: str, path: str) -> None:
    """A neighbour sees and changes nothing of this site, with a token or without; nor does an operator as a site."""
    neighbour = await cloud.join()
    target = f"/v1/sites/{site.site}/{path}"
    assert (await cloud.call(method, target, token=neighbour.token)).problem == "forbidden"
    assert (await cloud.call(method, target)).problem == "not-authorised"
    operator = await cloud.token("operator", cloud.operator_secret)
    assert (await cloud.call(method, target, token=operator)).problem == "forbidden"


async def test_a_site_is_no_operator(cloud: Cloud, site: Site) -> None:
    """A site's token changes no community."""
    reply = await cloud.call("PUT", f"/v1/communities/{COMMUNITY}/owners/eve", token=site.token, json={"name": "Eve"})
    assert reply.problem == "forbidden"


async def test_a_client_may_come_by_http_basic(cloud: Cloud, site: Site) -> None:
    """What OAuth2 libraries send by default."""
    headers = {"Authorization": encode_basic_auth(site.site, site.secret)}
    reply = await cloud.call("POST", "/v1/token", data=FORM, headers=headers)
    assert (reply.status, reply.json["token_type"], reply.json["expires_in"]) == (200, "Bearer", 3600)
    assert reply.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("form", "headers", "status", "error"),
    [
        ({**FORM, "client_id": "operator", "client_secret": "wrong"}, {}, 401, "invalid_client"),
        ({**FORM, "client_id": "nobody", "client_secret": "operator-secret"}, {}, 401, "invalid_client"),
        (FORM, {}, 401, "invalid_client"),
        (FORM, {"Authorization": "Basic ="}, 401, "invalid_client"),
        (FORM, {"Authorization": "Basic bm9jb2xvbg=="}, 401, "invalid_client"),
        (FORM, {"Authorization": "Bearer x"}, 401, "invalid_client"),
        ({"grant_type": "password"}, {}, 400, "unsupported_grant_type"),
        (b"grant_type=%ff\xff", {"Content-Type": "application/x-www-form-urlencoded"}, 400, "invalid_request"),
        ("&" * 50, {"Content-Type": "application/x-www-form-urlencoded"}, 400, "invalid_request"),
        (b"{}", {"Content-Type": "application/json"}, 400, "invalid_request"),
    ],
)
async def test_a_wrong_client_gets_no_token(
    cloud: Cloud, form: Any, headers: dict[str, str], status: int, error: str
) -> None:
    """The problem carries OAuth2's own word for it too."""
    reply = await cloud.call("POST", "/v1/token", data=form, headers=headers)
    assert (reply.status, reply.json["error"]) == (status, error)
    assert reply.problem


async def test_a_revoked_key_signs_nothing_more(cloud: Cloud, site: Site) -> None:
    """What it signed before stands; the next batch is refused."""
    first, second = site.chain(2)
    assert (await site.post(first)).status == 201
    assert (await cloud.operator("POST", f"{COMMUNITY}/sites/{site.site}/keys/{site.kid}/revoke")).status == 204
    assert (await site.post(second)).problem == "signature-refused"
    assert (await site.put_tree(2)).problem == "signature-refused"
    assert (await cloud.operator("POST", f"{COMMUNITY}/sites/{site.site}/keys/none/revoke")).problem == "not-found"
