"""Passcodes are kept as Argon2id, guessed at five times, and every try is on record, the passcode itself nowhere."""

import asyncio
from collections import Counter
import logging

from argon2 import extract_parameters
from argon2.low_level import Type
import pytest

from cloud.errors import Refused
from cloud.sites.transfer.passcodes.argon import hashed, opens
from cloud.sites.transfer.passcodes.http import GATE, HASHES_AT_ONCE, HASHES_WAITING_MAX, Gate
from cloud.sites.transfer.passcodes.lock import (
    CALLER_FORGETS_SECONDS,
    LOCK_SECONDS_MAX,
    Lock,
    counted,
    forgiven,
    remembered,
    wait_s,
)
from cloud.sites.transfer.passcodes.store import tap_passcode_table

from .conftest import COMMUNITY, Cloud, Site
from .handing import PASSCODE, ask, ask_at_site, set_passcode, tap_path
from .people import ANNA, BEN, OPERATOR, Caller, everything

CANARY = "canary-6f1d-passcode"


@pytest.fixture
async def coded(cloud: Cloud, site: Site) -> Site:
    """Return a site whose tap `ev`, Ben's, has a passcode."""
    assert (await set_passcode(cloud, BEN, site)).status == 204
    return site


async def wrong(cloud: Cloud, site: Site, caller: Caller = BEN, tap: str = "ev") -> tuple[int, str | None]:
    """Try a wrong passcode; return the status and how long to wait."""
    reply = await ask(cloud, caller, site, tap=tap, passcode="wrong horse")
    return reply.status, reply.headers.get("Retry-After")


async def test_after_five_wrong_tries_a_tap_is_locked_for_longer_and_longer(cloud: Cloud, coded: Site) -> None:
    """A minute, two, four: not even the right passcode opens it meanwhile; afterwards it does."""
    assert [await wrong(cloud, coded) for _ in range(6)] == [(403, None)] * 5 + [(429, "60")]
    cloud.clock.forward(59)
    locked = await ask(cloud, OPERATOR, coded)
    assert (locked.problem, locked.headers["Retry-After"]) == ("too-many-tries", "1")
    cloud.clock.forward(1)
    assert [await wrong(cloud, coded) for _ in range(2)] == [(403, None), (429, "120")]
    cloud.clock.forward(120)
    assert [await wrong(cloud, coded) for _ in range(2)] == [(403, None), (429, "240")]
    cloud.clock.forward(240)
    assert (await ask(cloud, BEN, coded)).status == 201


async def test_a_thousand_tries_at_once_are_five(cloud: Cloud, coded: Site) -> None:
    """Each is counted before it is looked at, and all of them wait at one gate."""
    replies = await asyncio.gather(*(wrong(cloud, coded, OPERATOR) for _ in range(20)))
    assert Counter(status for status, _ in replies) == {403: 5, 429: 15}


async def test_a_caller_is_locked_over_all_taps(cloud: Cloud, coded: Site) -> None:
    """Guessing a little at each of many taps is guessing; another caller is free meanwhile."""
    for tap in ("main", "pv"):
        await set_passcode(cloud, OPERATOR, coded, tap)
    tried = [await wrong(cloud, coded, ANNA, tap) for tap in ("ev", "pv", "ev", "pv", "ev")]
    assert [status for status, _ in tried] == [403] * 5
    assert (await ask(cloud, ANNA, coded, tap="main")).problem == "too-many-tries"
    assert (await ask(cloud, BEN, coded)).status == 201


async def test_a_new_passcode_frees_the_tap(cloud: Cloud, coded: Site) -> None:
    """Somebody else's guesses cannot shut an owner out of their own tap."""
    for _ in range(5):
        await wrong(cloud, coded, ANNA)
    assert (await ask(cloud, BEN, coded)).problem == "too-many-tries"
    await set_passcode(cloud, BEN, coded)
    assert (await ask(cloud, BEN, coded)).status == 201


async def test_every_try_is_on_record(cloud: Cloud, coded: Site, caplog: pytest.LogCaptureFixture) -> None:
    """When, by whom and how it went, for staff to read, and in the log, locked ones too."""
    caplog.set_level(logging.INFO)
    for _ in range(6):
        await wrong(cloud, coded, ANNA)
    cloud.clock.forward(60)
    await ask_at_site(coded)
    path = f"{COMMUNITY}/{tap_path(coded)}/passcode-tries"
    found = (await cloud.operator("GET", path)).json["tries"]
    assert Counter((item["tried_by"], item["outcome"]) for item in found) == {
        ("owner:anna", "wrong"): 5,
        (f"site:{coded.site}", "right"): 1,
    }
    page = (await cloud.operator("GET", f"{path}?after={found[-2]['id']}")).json["tries"]
    assert page == found[-1:]
    logged = [vars(record)["outcome"] for record in caplog.records if record.getMessage() == "passcode tried"]
    assert logged == ["wrong"] * 5 + ["locked", "right"]


async def test_a_passcode_stands_nowhere(cloud: Cloud, site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """In no table, log line or answer: set, tried wrongly, refused, too long, and right."""
    caplog.set_level(logging.DEBUG)
    replies = [
        await set_passcode(cloud, BEN, site, passcode=CANARY),
        await ask(cloud, BEN, site, passcode=CANARY + "-wrong"),
        await ask(cloud, BEN, site, passcode=CANARY + "x" * 200),
        await ask(cloud, BEN, site, passcode=CANARY, to_owner="ben"),
        await set_passcode(cloud, BEN, site, passcode=CANARY + "\n"),
        await ask(cloud, BEN, site, passcode=CANARY),
    ]
    assert [reply.status for reply in replies] == [204, 403, 400, 422, 400, 201]
    assert not any(b"canary" in reply.raw for reply in replies)
    assert "canary" not in str(await everything(cloud))
    assert "canary" not in caplog.text
    assert not any("canary" in str(vars(record)) for record in caplog.records)


async def test_a_passcode_is_kept_as_slowly_as_owasp_asks(cloud: Cloud, coded: Site) -> None:
    """Argon2id with 19 MiB, two passes, one lane."""
    [row] = await cloud.rows(tap_passcode_table)
    costs = extract_parameters(row.argon2id)
    assert (costs.type, costs.memory_cost, costs.time_cost, costs.parallelism) == (Type.ID, 19 * 1024, 2, 1)
    assert row.set_by == "owner:ben"


async def test_the_gate_sends_away_whom_it_cannot_serve(cloud: Cloud, coded: Site) -> None:
    """Hashing is dear on purpose: so many at once, so many wait, and the rest come again later."""
    gate = cloud.client.app[GATE]
    held = [asyncio.create_task(_hold(gate)) for _ in range(HASHES_AT_ONCE + HASHES_WAITING_MAX)]
    await asyncio.sleep(0)
    reply = await ask(cloud, BEN, coded)
    assert (reply.problem, reply.headers["Retry-After"]) == ("too-many-tries", "2")
    with pytest.raises(Refused):
        async with gate.passed():
            pytest.fail("one more than fits")
    for task in held:
        task.cancel()
    await asyncio.gather(*held, return_exceptions=True)
    async with gate.passed():
        pass


async def _hold(gate: Gate) -> None:
    async with gate.passed():
        await asyncio.Event().wait()


def test_only_the_passcode_opens() -> None:
    """Another one does not, nor does any where none is set; a letter typed in another form is the same letter."""
    kept = hashed("Grüße-42")
    assert opens(kept, "Grüße-42")
    assert opens(kept, "Gru\u0308ße-42")
    assert not opens(kept, "grüße-42")
    assert not opens(None, "Grüße-42")
    assert not opens(None, "nobody's passcode")
    assert hashed(PASSCODE) != hashed(PASSCODE)


def test_a_lock_doubles_up_to_a_day() -> None:
    """Four wrong tries cost nothing; the lock of the fifth is a minute, and none is longer than a day."""
    lock, waits = Lock(), []
    for _ in range(30):
        lock = counted(lock, 1000)
        waits.append(wait_s(lock, 1000))
    assert waits[:7] == [None, None, None, None, 60, 120, 240]
    assert waits[-1] == max(wait or 0 for wait in waits) == LOCK_SECONDS_MAX
    assert wait_s(Lock(5, 1060, 1000), 1060) is None


def test_a_right_try_takes_back_itself_alone() -> None:
    """Guesses at a neighbour's tap are not washed away by opening one's own."""
    assert forgiven(counted(Lock(4, 0, 0), 1000), 1000) == Lock(4, 0, 1000)
    assert forgiven(Lock(), 5) == Lock(0, 0, 5)
    assert remembered(Lock(9, 0, 0), CALLER_FORGETS_SECONDS - 1).wrong == 9
    assert remembered(Lock(9, 0, 0), CALLER_FORGETS_SECONDS) == Lock()
