"""Taps that change hands, for tests: passcodes set and transfers asked for, by whoever is let."""

from dataclasses import replace
from typing import Any

from cloud.notice.store import waiting
from cloud.wire import TreeTap

from .conftest import COMMUNITY, NOON, TREE, Cloud, Reply, Site
from .people import Caller

PASSCODE = "correct horse"
TO_SUN = {**TREE, "ev": replace(TREE["ev"], owner="sun")}


def tap_path(site: Site, tap: str = "ev") -> str:
    """Return where a tap lies within its community."""
    return f"sites/{site.site}/taps/{tap}"


async def set_passcode(cloud: Cloud, caller: Caller, site: Site, tap: str = "ev", passcode: str = PASSCODE) -> Reply:
    """Set a tap's passcode."""
    return await caller.call(cloud, "PUT", f"{tap_path(site, tap)}/passcode", {"passcode": passcode})


async def ask(
    cloud: Cloud,
    caller: Caller,
    site: Site,
    *,
    to_owner: str = "sun",
    passcode: str = PASSCODE,
    tap: str = "ev",
    transfer: str = "t1",
) -> Reply:
    """Ask for a transfer."""
    body = {"id": transfer, "to_owner": to_owner, "passcode": passcode}
    return await caller.call(cloud, "POST", f"{tap_path(site, tap)}/transfers", body)


async def ask_at_site(site: Site, to_owner: str = "sun", passcode: str = PASSCODE, tap: str = "ev") -> Reply:
    """Ask for a transfer as the site itself."""
    body = {"id": "s1", "to_owner": to_owner, "passcode": passcode}
    return await site.cloud.call("POST", f"/v1/sites/{site.site}/taps/{tap}/transfers", token=site.token, json=body)


async def set_at_site(site: Site, tap: str = "main", passcode: str = PASSCODE) -> Reply:
    """Set a tap's passcode as the site itself."""
    path = f"/v1/sites/{site.site}/taps/{tap}/passcode"
    return await site.cloud.call("PUT", path, token=site.token, json={"passcode": passcode})


async def transfers(cloud: Cloud, caller: Caller, owner: str) -> list[dict[str, Any]]:
    """Return an owner's transfers."""
    reply = await caller.call(cloud, "GET", f"owners/{owner}/transfers")
    assert reply.status == 200, reply.json
    found: list[dict[str, Any]] = reply.json["transfers"]
    return found


async def notices(site: Site) -> list[dict[str, Any]]:
    """Return the bodies of the notices of kind `owner` that wait for a site."""
    found = await site.cloud.database.read(waiting, COMMUNITY, site.site, NOON)
    return [dict(notice.body) for notice in found if notice.kind == "owner"]


def tree(**owners: str) -> dict[str, TreeTap]:
    """Return the tree of the tests with other owners of some taps."""
    return {tap: replace(one, owner=owners.get(tap, one.owner)) for tap, one in TREE.items()}
