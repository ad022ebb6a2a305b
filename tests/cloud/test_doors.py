"""Every door of the document, tried with every wrong key: it stays shut, and nothing breaks."""

from collections.abc import Iterator
from typing import Any

import jwt
import pytest

from cloud.doors import DOCUMENT, ENDPOINTS
from cloud.principal import Scope
from cloud.sites.access.credentials import TOKEN_TYPE
from cloud.wire import SIGNATURE_HEADER

from .conftest import COMMUNITY, NOON, Cloud, Reply, Site
from .people import FILLERS
from .test_app import raw_request

GARBAGE = ["x", "a.b.c", "e30.e30.e30", "[" * 4000, "Ω.Ω.Ω", "." * 1000, "eyJhbGciOiJFZERTQSJ9.e30.AA"]


def doors(cloud: Cloud, scope: Scope | None = None) -> Iterator[tuple[str, str, Scope]]:
    """Yield method, path as the document names it, and scope of every endpoint that asks for a token."""
    for path, operations in cloud.client.app[DOCUMENT]["paths"].items():
        for method, operation in operations.items():
            for security in operation["security"]:
                if "device_bearer" in security:  # the other way to show the same password
                    continue
                (asked,) = security.get("oauth2", (Scope.DEVICE.value,))
                if scope in (None, asked):
                    yield method.upper(), path, Scope(asked)


def filled(path: str, site: Site) -> str:
    """Return a path with names of things that are there."""
    return path.format_map(FILLERS | {"community": COMMUNITY, "owner": "anna", "site": site.site, "kid": site.kid})


async def knock(site: Site, method: str, path: str, token: str | None) -> Reply:
    """Try one door with what the right caller would send, but for the token."""
    raw = site.batch()
    headers = {SIGNATURE_HEADER: site.sign(raw), "Content-Type": "application/json"}
    return await site.cloud.call(method, filled(path, site), token=token, data=raw, headers=headers)


def expired(cloud: Cloud, subject: str, scope: Scope) -> str:
    """Return a token that was good until now."""
    claims: dict[str, Any] = {"iss": "http://cloud.test", "aud": "http://cloud.test", "sub": subject}
    claims |= {"scope": scope.value, "community": COMMUNITY, "iat": NOON - 3600, "exp": NOON}
    return jwt.encode(claims, cloud.key.private_key, "EdDSA", headers={"typ": TOKEN_TYPE})


async def test_the_document_tells_the_scope_of_every_endpoint(cloud: Cloud) -> None:
    """The walk below misses none of those that ask for one, and none of the scopes that open it."""
    told = sorted((method, path, scope.value) for method, path, scope in doors(cloud))
    declared = [(endpoint.method, endpoint.path, scope.value) for endpoint in ENDPOINTS for scope in endpoint.scopes]
    assert told == sorted(declared)
    assert {scope for _, _, scope in told} == {scope.value for scope in Scope}


async def test_without_a_good_token_every_door_is_shut(cloud: Cloud, site: Site) -> None:
    """None, garbage, and one whose time is over: 401 each, whatever the door."""
    for method, path, scope in doors(cloud):
        subject = site.site if scope is Scope.SITE else "operator"
        for token in (None, *GARBAGE, expired(cloud, subject, scope)):
            reply = await knock(site, method, path, token)
            assert (reply.status, reply.problem) == (401, "not-authorised"), (method, path, token)


async def test_a_token_opens_only_doors_of_its_scope(cloud: Cloud, site: Site) -> None:
    """A site is no operator, and the operator is no site."""
    operator = await cloud.token("operator", cloud.operator_secret)
    for method, path, scope in doors(cloud):
        reply = await knock(site, method, path, operator if scope is Scope.SITE else site.token)
        shut = (401, "not-authorised") if scope is Scope.DEVICE else (403, "forbidden")  # it takes no token at all
        assert (reply.status, reply.problem) == shut, (method, path)


@pytest.mark.parametrize("community", [COMMUNITY, "hillside"])
async def test_a_site_opens_no_door_of_another_site(cloud: Cloud, site: Site, community: str) -> None:
    """Of a neighbour as little as of another community, whoever signed what it sends."""
    if community != COMMUNITY:
        await cloud.found(community)
    other = await cloud.join(community)
    for method, path, _ in doors(cloud, Scope.SITE):
        reply = await knock(site, method, path, other.token)
        assert reply.status == 403, (method, path)
        assert reply.problem in ("forbidden", "signature-refused")


@pytest.mark.parametrize(
    "kind",
    [b"Bearer \xff\xfe", b"\xff", b"Bearer", b"bearer\t", b"Basic eDp5", b"Bearer " + b"x" * 8000, b"Bearer \xc3"],
)
async def test_bytes_that_are_no_text_are_no_token(cloud: Cloud, site: Site, kind: bytes) -> None:
    """A header is bytes, and not all of them are letters: 401, not a mistake of ours."""
    head = f"GET /v1/sites/{site.site}/head HTTP/1.1\r\nHost: cloud.test\r\nConnection: close\r\n".encode()
    assert (await raw_request(cloud, head + b"Authorization: " + kind + b"\r\n\r\n")).split()[1] == b"401"
