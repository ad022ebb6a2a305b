"""Names as people write them: kept where every reader takes them, refused by name where one would stumble."""

import io
import json
import logging

import pytest

from cloud import logs
from cloud.wire import parse_settings

from .conftest import COMMUNITY, Cloud, Site

ZERO = "%00"


@pytest.mark.parametrize("name", ["a\nb", "a\x00b", "\x1b[2J", "\u2028", "a\tb", "\u202e"])
async def test_a_name_that_cannot_be_printed_is_refused(site: Site, name: str) -> None:
    """A site would refuse its settings for the name of a stranger, and with them everything the operator wants."""
    community = {"name": name, "time_zone": "UTC"}
    for path, body in ((COMMUNITY, community), (f"{COMMUNITY}/owners/anna", {"name": name})):
        assert (await site.cloud.operator("PUT", path, body)).problem == "malformed"
    assert parse_settings((await site.get("settings")).raw).owners["anna"] == "Anna"


@pytest.mark.parametrize("name", ["山田\u3000太郎", "Zoë\u00a0d'Été", "Ω 🏡"])
async def test_a_name_is_written_as_people_write_it(cloud: Cloud, name: str) -> None:
    """Also with the wide space between Japanese names: of a community, an owner and a site alike."""
    await cloud.found()
    assert (await cloud.operator("PUT", COMMUNITY, {"name": name, "time_zone": "UTC"})).status == 200
    assert (await cloud.operator("PUT", f"{COMMUNITY}/owners/anna", {"name": name})).status == 200
    site = Site(cloud)
    assert (await site.pair(await cloud.code(), name=name)).status == 201
    site.token = await cloud.token(site.site, site.secret)
    settings = parse_settings((await site.get("settings")).raw)
    assert (settings.community_name, settings.owners["anna"]) == (name, name)
    assert (await cloud.operator("GET", f"{COMMUNITY}/sites")).json["sites"][0]["name"] == name


async def test_a_zero_byte_is_nobodys_name(site: Site) -> None:
    """PostgreSQL cannot hold one: it is refused before a database is asked, wherever it is written."""
    cloud = site.cloud
    for method, path in (
        ("GET", f"{COMMUNITY}/sites?after={ZERO}"),
        ("GET", f"{COMMUNITY}/balances?after={ZERO}"),
        ("GET", f"{COMMUNITY}/sites/{ZERO}/held"),
        ("GET", f"{COMMUNITY}/sites/{site.site}/held?after={ZERO}"),
        ("POST", f"{COMMUNITY}/sites/{site.site}/keys/{ZERO}/revoke"),
        ("POST", f"{COMMUNITY}/sites/{ZERO}/keys/{site.kid}/revoke"),
        ("PUT", f"{COMMUNITY}/owners/{ZERO}"),
        ("GET", f"{ZERO}/sites"),
    ):
        assert (await cloud.operator(method, path)).status in (400, 404), path
    for client_id in ("\0", "a\0b", "x" * 5000, "\ud7ff"):
        form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": "\0"}
        assert (await cloud.call("POST", "/v1/token", data=form)).problem == "not-authorised"


async def test_the_clouds_own_key_is_never_logged(
    cloud: Cloud, site: Site, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the file nor what is derived from it, at the noisiest level, also where something fails."""
    caplog.set_level(logging.DEBUG)
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.Formatter())
    logging.getLogger().addHandler(handler)

    def broken(*_: object) -> None:
        raise ZeroDivisionError(repr(cloud.key), str(cloud.config))

    try:
        await site.post(site.batch())
        monkeypatch.setattr("cloud.sites.store.sites_of", broken)
        assert (await cloud.operator("GET", f"{COMMUNITY}/sites")).status == 500
    finally:
        logging.getLogger().removeHandler(handler)
    body = cloud.config.key_file.read_text().splitlines()[1]
    seed = cloud.key.private_key.private_bytes_raw()
    derived = [cloud.key.derive(purpose) for purpose in ("pairing code", "client secret")]
    hidden = [body, seed.hex(), repr(seed)[2:-1], *(one.hex() for one in derived)]
    log = stream.getvalue()
    assert len([json.loads(line) for line in log.splitlines()]) > 2
    assert "ZeroDivisionError" in log
    assert [secret for secret in hidden if secret in log] == []
