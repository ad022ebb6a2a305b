"""Trees and settings: what hangs where, and who owns it."""

from collections.abc import Mapping

import pytest

from cloud.sites.trees.boundary import BoundaryTap, boundary_taps
from cloud.sites.trees.store import tree_table
from cloud.wire import ISLAND, Tree, TreeTap, digest, parse_settings, parse_tree_answer, to_bytes

from .conftest import COMMUNITY, INTERVAL, OWNERS, TREE, Cloud, Site, verified


async def test_every_revision_is_kept_as_it_was_signed(cloud: Cloud, site: Site) -> None:
    """The bytes and the signature over them, so that anybody can check later what a site said."""
    assert (await site.put_tree(2, INTERVAL)).status == 201
    rows = await cloud.rows(tree_table, site=site.site)
    assert [row.rev for row in rows] == [1, 2]
    assert rows[0].raw == to_bytes(Tree(site.site, 1, 0, TREE))
    assert rows[0].signature == site.sign(rows[0].raw)


async def test_the_answer_to_a_tree_is_signed(cloud: Cloud, site: Site) -> None:
    """Created the first time, exists the second, bound to the bytes by their hash."""
    reply = await site.put_tree(1)
    verified(cloud, reply)
    answer = parse_tree_answer(reply.raw)
    assert (reply.status, answer.result) == (200, "exists")
    assert answer.hash == digest(to_bytes(Tree(site.site, 1, 0, TREE)))


@pytest.mark.parametrize(
    ("rev", "valid_from", "taps", "problem"),
    [
        (1, INTERVAL, TREE, "tree-conflict"),
        (3, 0, TREE, "tree-revision"),
        (2, 0, {"main": TreeTap("stranger", None)}, "unknown-owner"),
        (2, 60, TREE, "tree-time"),
        (2, 0, {"a": TreeTap("anna", "b"), "b": TreeTap("anna", "a")}, "malformed"),
    ],
)
async def test_a_tree_that_does_not_fit_is_refused(
    site: Site, rev: int, valid_from: int, taps: Mapping[str, TreeTap], problem: str
) -> None:
    """Another tree under a kept revision, a skipped one, a stranger as owner, a time off the grid, a loop."""
    assert (await site.put_tree(rev, valid_from, taps)).problem == problem
    assert (await site.put_tree(2)).status == 201


async def test_a_tree_needs_the_sites_own_signature(cloud: Cloud, site: Site) -> None:
    """A neighbour's, a changed or a missing signature is refused, and so is a tree of another site."""
    raw, neighbour, path = to_bytes(Tree(site.site, 2, 0, TREE)), await cloud.join(), f"/v1/sites/{site.site}/tree"
    for signature in (
        neighbour.sign(raw),
        site.sign(raw + b" "),
        "",
        "a..b",
        site.sign(raw)[:-5] + "AAAAA",
        site.sign(raw)[:-5] + "BAAAA",
    ):
        assert (await site.send("PUT", path, raw, signature)).problem == "signature-refused"
    other = to_bytes(Tree(neighbour.site, 2, 0, TREE))
    assert (await site.send("PUT", path, other)).problem == "forbidden"


async def test_settings_are_signed_and_name_the_owners(cloud: Cloud, site: Site) -> None:
    """A site learns its interval and who may own taps."""
    reply = await site.get("settings")
    verified(cloud, reply)
    settings = parse_settings(reply.raw)
    assert (settings.community, settings.interval_seconds, settings.main_owner) == (COMMUNITY, INTERVAL, "anna")
    assert set(settings.owners) == set(OWNERS)


async def test_an_interval_stays_once_a_site_measures_by_it(cloud: Cloud) -> None:
    """Before, it may change; names may always."""
    await cloud.found()
    settings = {"name": "Riverside", "time_zone": "Europe/Berlin", "interval_seconds": 900}
    assert (await cloud.operator("PUT", COMMUNITY, settings)).json["cycle_seconds"] == 900
    await cloud.join()
    assert (await cloud.operator("PUT", COMMUNITY, settings | {"interval_seconds": 300})).problem == "interval-fixed"
    assert (await cloud.operator("PUT", COMMUNITY, settings | {"name": "New"})).json["name"] == "New"


@pytest.mark.parametrize(
    "settings",
    [
        {"name": "x"},
        {"name": "x", "time_zone": "Mars/Base"},
        {"name": "x", "time_zone": "UTC", "interval_seconds": 7},
        {"name": "x", "time_zone": "UTC", "interval_seconds": "1800"},
        {"name": "x", "time_zone": "UTC", "interval_seconds": True},
        {"name": "x", "time_zone": "UTC", "cycle_seconds": 1801},
        {"name": "x", "time_zone": "UTC", "colour": "red"},
        [],
    ],
)
async def test_senseless_settings_are_refused(cloud: Cloud, settings: object) -> None:
    """Missing, unknown and wrong members are named."""
    assert (await cloud.operator("PUT", COMMUNITY, settings)).problem == "malformed"


async def test_an_owner_needs_a_community_and_may_be_renamed(cloud: Cloud) -> None:
    """Nobody owns in a community that is not there."""
    assert (await cloud.operator("PUT", "nowhere/owners/anna", {"name": "Anna"})).problem == "not-found"
    await cloud.found()
    assert (await cloud.operator("PUT", f"{COMMUNITY}/owners/anna", {"name": "Anna B."})).json["name"] == "Anna B."
    assert (await cloud.operator("PUT", f"{COMMUNITY}/owners/an%20na", {"name": "Anna"})).problem == "malformed"


async def test_an_operator_lists_the_sites_in_pages(cloud: Cloud) -> None:
    """Each site once, in order."""
    await cloud.found()
    joined = sorted([(await cloud.join()).site for _ in range(3)])
    first = (await cloud.operator("GET", f"{COMMUNITY}/sites?limit=2")).json["sites"]
    rest = (await cloud.operator("GET", f"{COMMUNITY}/sites?limit=2&after={first[-1]['site']}")).json["sites"]
    assert [item["site"] for item in first + rest] == joined
    for query in ("limit=0", "limit=x", "limit=1&limit=2", "colour=red"):
        assert (await cloud.operator("GET", f"{COMMUNITY}/sites?{query}")).problem == "malformed"


def test_boundary_taps_are_where_the_owner_changes() -> None:
    """Interior taps are left out; roots have nobody upstream, and what lies below an island is private."""
    taps = {
        "main": TreeTap("anna", None),
        "kitchen": TreeTap("anna", "main"),
        "ev": TreeTap("ben", "kitchen"),
        "line": TreeTap("anna", ISLAND),
        "pv": TreeTap("sun", "line"),
    }
    assert boundary_taps(Tree("s", 1, 0, taps)) == {
        "main": BoundaryTap("anna", None, island=False),
        "ev": BoundaryTap("ben", "anna", island=False),
        "line": BoundaryTap("anna", None, island=True),
        "pv": BoundaryTap("sun", "anna", island=False, private=True),
    }
