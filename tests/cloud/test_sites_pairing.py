"""Pairing: one code lets in one site, once, and whoever guesses waits."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from cloud.config import Config
from cloud.sites.access.pairing import (
    CODE_SECONDS,
    EVERYWHERE,
    WINDOW_SECONDS,
    WRONG_EVERYWHERE_MAX,
    WRONG_PER_ADDRESS_MAX,
    Code,
    Joined,
    code_hmac,
    code_text,
    counted_address,
    judge,
    wait_s,
)
from cloud.sites.access.store import client_table, known_key_table, pairing_code_table, site_key_table, wrong_code_table
from cloud.sites.store import site_table
from cloud.wire import SIGNATURE_HEADER, PairingRequest, base64url, parse_paired, to_bytes

from .conftest import COMMUNITY, NOON, Cloud, Site, running

CODE = Code(COMMUNITY, "anna", 1, NOON + 1, used_by=None)
KEY = b"k" * 32


@pytest.fixture
async def founded(cloud: Cloud) -> Cloud:
    """Found community riverside."""
    await cloud.found()
    return cloud


async def test_a_site_joins_with_its_code(founded: Cloud) -> None:
    """The answer names the site, its community and the cloud's key, and its secret opens the token endpoint."""
    site = Site(founded)
    reply = await site.pair(await founded.code())
    paired = parse_paired(reply.raw)
    assert reply.status == 201
    assert (paired.community, paired.cloud_key) == (COMMUNITY, founded.key.public_key)
    assert await founded.token(paired.client_id, paired.client_secret)
    assert [row.public_key for row in await founded.rows(site_key_table, site=paired.site)] == [site.public_key]


async def test_neither_code_nor_secret_is_stored_as_it_is(founded: Cloud) -> None:
    """Who reads the database can pair nothing and be nobody."""
    code, site = await founded.code(), Site(founded)
    await site.pair(code)
    stored = str(await founded.rows(pairing_code_table)) + str(await founded.rows(client_table))
    assert site.secret not in stored
    assert code not in stored
    assert code.replace("-", "") not in stored


async def test_a_code_may_be_typed_as_people_type(founded: Cloud) -> None:
    """Lower case, spaces for dashes and O for 0 make no difference."""
    code = await founded.code()
    assert (await Site(founded).pair(code.lower().replace("-", " ").replace("0", "o"))).status == 201


async def test_a_lost_answer_is_asked_for_again(founded: Cloud) -> None:
    """The same code with the same key gives the same site a fresh secret, and the old one opens nothing."""
    code, site = await founded.code(), Site(founded)
    first = (await site.pair(code)).json
    again = await site.pair(code)
    assert again.status == 200
    assert again.json["site"] == first["site"]
    assert again.json["client_secret"] != first["client_secret"]
    form = {"grant_type": "client_credentials", "client_id": first["site"], "client_secret": first["client_secret"]}
    assert (await founded.call("POST", "/v1/token", data=form)).problem == "not-authorised"
    assert await founded.count(site_table) == 1


async def test_a_known_key_joins_again_with_a_new_code(founded: Cloud) -> None:
    """A site that lost its secret keeps its name, its chain and its history."""
    site = Site(founded)
    first = (await site.pair(await founded.code())).json
    again = await site.pair(await founded.code())
    assert (again.status, again.json["site"]) == (200, first["site"])
    assert await founded.count(known_key_table) == 1


async def test_a_known_key_cannot_move_to_another_community(founded: Cloud) -> None:
    """A code of another community is refused, and still good for somebody else."""
    await founded.found("hillside", ("anna",))
    site, code = Site(founded), await founded.code("hillside")
    await site.pair(await founded.code())
    assert (await site.pair(code)).problem == "other-community"
    assert (await Site(founded).pair(code)).status == 201


async def test_a_used_code_lets_nobody_else_in(founded: Cloud) -> None:
    """Whoever finds the note with the code comes too late."""
    code = await founded.code()
    await Site(founded).pair(code)
    assert (await Site(founded).pair(code)).problem == "pairing-code-refused"
    assert await founded.count(site_table) == 1


async def test_a_code_expires(founded: Cloud) -> None:
    """After 72 hours it opens nothing."""
    code = await founded.code()
    founded.clock.forward(CODE_SECONDS)
    reply = await Site(founded).pair(code)
    assert (reply.status, reply.problem) == (403, "pairing-code-refused")


@pytest.mark.parametrize("code", ["0000-0000-0000-0000", "x", "ü" * 64, "0" * 64])
async def test_a_wrong_code_is_refused(founded: Cloud, code: str) -> None:
    """Wrong and malformed codes get the same answer."""
    assert (await Site(founded).pair(code)).problem == "pairing-code-refused"


async def test_two_sites_race_for_one_code(founded: Cloud) -> None:
    """However close they come, one joins."""
    code = await founded.code()
    replies = await asyncio.gather(*(Site(founded).pair(code) for _ in range(5)))
    assert sorted(reply.status for reply in replies) == [201, 403, 403, 403, 403]


async def test_guessing_is_stopped_for_a_while(founded: Cloud) -> None:
    """After ten wrong codes an address waits, even with a right one; when the window is over it may try again."""
    code = await founded.code()
    for _ in range(WRONG_PER_ADDRESS_MAX):
        assert (await Site(founded).pair("0000-0000-0000-0000")).status == 403
    reply = await Site(founded).pair(code)
    assert (reply.status, reply.problem) == (429, "too-many-tries")
    assert 0 < int(reply.headers["Retry-After"]) <= WINDOW_SECONDS
    founded.clock.forward(int(reply.headers["Retry-After"]))
    assert (await Site(founded).pair(code)).status == 201


@pytest.mark.parametrize(
    ("proxies", "said", "counted"),
    [
        (0, "203.0.113.9", "127.0.0.1"),
        (1, "203.0.113.9, 198.51.100.7", "198.51.100.7"),
        (2, "x, 203.0.113.9, 198.51.100.7", "203.0.113.9"),
        (2, "198.51.100.7", "127.0.0.1"),
    ],
)
async def test_only_our_own_proxies_are_believed(config: Config, proxies: int, said: str, counted: str) -> None:
    """A guesser cannot hide behind addresses they write into the header themselves."""
    async with running(replace(config, proxies=proxies)) as cloud:
        await Site(cloud).pair("0000-0000-0000-0000", forwarded_for=said)
        assert {row.address for row in await cloud.rows(wrong_code_table)} == {counted, EVERYWHERE}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"public_key": base64url(bytes(32))}, "public-key-refused"),
        ({"public_key": base64url(b"\x01" + bytes(31))}, "public-key-refused"),
        ({"public_key": "A" * 42}, "public-key-refused"),
        ({"public_key": "=" * 43}, "public-key-refused"),
        ({"name": ""}, "malformed"),
        ({"latitude_e6": 90_000_001}, "malformed"),
        ({"v": 2}, "malformed"),
    ],
)
async def test_a_bad_request_uses_no_code(founded: Cloud, changes: dict[str, Any], problem: str) -> None:
    """Small-order and foreign keys, and what is not well formed, are refused before the code is looked at."""
    code, site = await founded.code(), Site(founded)
    assert (await site.pair(code, **changes)).problem == problem
    assert (await site.pair(code)).status == 201


async def test_pairing_needs_the_signature_of_the_key_it_shows(founded: Cloud) -> None:
    """Nobody registers a key that is not theirs."""
    thief, owner = Site(founded), Site(founded)
    raw = to_bytes(PairingRequest(await founded.code(), "Home", "Europe/Berlin", owner.public_key))
    for headers in ({SIGNATURE_HEADER: thief.sign(raw)}, {SIGNATURE_HEADER: owner.sign(raw + b" ")}, {}):
        assert (await founded.call("POST", "/v1/sites", data=raw, headers=headers)).problem == "signature-refused"


async def test_a_code_is_for_an_owner_of_the_community(founded: Cloud) -> None:
    """Money flows to the main owner, so it must be somebody."""
    reply = await founded.operator("POST", f"{COMMUNITY}/pairing-codes", {"main_owner": "nobody"})
    assert (reply.status, reply.problem) == (422, "unknown-owner")


def test_a_code_shows_eighty_bits() -> None:
    """Ten random bytes become sixteen Crockford characters, and different bytes different codes."""
    assert code_text(bytes(10)) == "0000-0000-0000-0000"
    assert code_text(b"\xff" * 10) == "ZZZZ-ZZZZ-ZZZZ-ZZZZ"
    assert code_text(b"\x00\x44\x32\x14\xc7\x42\x54\xb6\x35\xcf") == "0123-4567-89AB-CDEF"
    assert code_hmac(KEY, "0123-4567-89AB-CDEF") == code_hmac(KEY, "oi23456789abcdef") != code_hmac(b"x", "o")


@pytest.mark.parametrize(
    ("code", "kid", "known", "verdict"),
    [
        (None, "k", None, "refused"),
        (CODE, "k", None, Joined(None)),
        (CODE, "k", (COMMUNITY, "s"), Joined("s")),
        (CODE, "k", ("hillside", "s"), "other-community"),
        (Code(COMMUNITY, "anna", 1, NOON, None), "k", None, "refused"),
        (Code(COMMUNITY, "anna", 1, NOON + 1, "k"), "k", (COMMUNITY, "s"), Joined("s")),
        (Code(COMMUNITY, "anna", 1, NOON + 1, "other"), "k", (COMMUNITY, "s"), "refused"),
    ],
)
def test_a_code_is_judged(code: Code | None, kid: str, known: tuple[str, str] | None, verdict: object) -> None:
    """The whole table of what a shown code can mean."""
    assert judge(code, kid, known, NOON) == verdict


@pytest.mark.parametrize(
    ("here", "everywhere", "waits"),
    [
        (0, 0, False),
        (WRONG_PER_ADDRESS_MAX - 1, WRONG_EVERYWHERE_MAX - 1, False),
        (WRONG_PER_ADDRESS_MAX, 0, True),
        (0, WRONG_EVERYWHERE_MAX, True),
    ],
)
def test_wrong_tries_count_by_address_and_everywhere(here: int, everywhere: int, *, waits: bool) -> None:
    """One address may not guess, nor may many together."""
    assert (wait_s(here, everywhere, NOON) is not None) is waits


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", "unknown"),
        ("'; DROP TABLE site", "unknown"),
    ],
)
def test_an_address_is_counted_as_one_customer(address: str, counted: str) -> None:
    """An IPv6 customer cannot dodge the count by walking through their own /64."""
    assert counted_address(address) == counted
