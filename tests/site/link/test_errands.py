"""Errands: run when the link comes up, when woken, and never in one another's way."""

import asyncio
import logging

import aiohttp
import pytest

from custom_components.commonwatt.errors import CloudRefused, CloudUnreachable, NotAuthorised
from custom_components.commonwatt.link import CloudClient, Errands, Outbox, Runner, Uplink

from .cloud_double import CloudDouble
from .conftest import client_of, until


class Runs:
    """An errand that counts, and fails in a given way."""

    def __init__(self, error: Exception | None = None) -> None:
        self.count = 0
        self.error = error

    async def __call__(self, client: CloudClient) -> None:
        """Run once."""
        self.count += 1
        if self.error is not None:
            raise self.error


async def run_for(errands: Errands, client: CloudClient, seconds: float = 0.05) -> None:
    """Let errands run for a moment."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(seconds):
            await errands.run(client)


async def test_a_refused_errand_holds_up_no_other_and_is_told_once(
    client: CloudClient, caplog: pytest.LogCaptureFixture, expected_logs: list[str]
) -> None:
    """An older cloud, or one that forbids this errand alone: logged the first time, tried each time."""
    expected_logs.append("An errand to the cloud failed")
    refused, forbidden, fine = (
        Runs(CloudRefused(422, "unprocessable", "not so")),
        Runs(NotAuthorised(403, "forbidden", "not yours")),
        Runs(),
    )
    errands = Errands([refused, forbidden])
    errands.add(fine)
    await run_for(errands, client)
    errands.wake()
    await run_for(errands, client)
    assert refused.count == forbidden.count == fine.count == 2
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2


async def test_an_older_cloud_is_no_warning(client: CloudClient, caplog: pytest.LogCaptureFixture) -> None:
    """A cloud that does not know an errand yet is told of in passing."""
    await run_for(Errands([Runs(CloudRefused(404, "not-found", "nothing here"))]), client)
    assert [record.levelno for record in caplog.records] == [logging.INFO]


@pytest.mark.parametrize("error", [NotAuthorised(401, "not-authorised", "gone"), CloudUnreachable("away")])
async def test_what_concerns_the_whole_link_ends_the_turn(client: CloudClient, error: Exception) -> None:
    """The uplink decides what then, as it does for batches."""
    with pytest.raises(type(error)):
        await Errands([Runs(error)]).run(client)


async def test_errands_run_hourly_when_nobody_wakes_them(client: CloudClient) -> None:
    """By and by, so that nothing is missed for ever."""
    errand = Runs()
    await run_for(Errands([errand], every_s=0.01), client, 0.1)
    assert errand.count > 2


async def test_the_uplink_runs_errands_beside_its_batches(
    cloud: CloudDouble, session: aiohttp.ClientSession, outbox: Outbox, run: Runner
) -> None:
    """They begin once site and cloud are in step."""
    errand = Runs()
    errands = Errands([errand])
    uplink = Uplink(
        client_of(cloud, session),
        outbox,
        run,
        on_state=lambda _: None,
        on_settings=lambda _: None,
        on_notice=lambda _: None,
        errands=errands,
    )
    task = asyncio.create_task(uplink.run())
    await until(lambda: errand.count == 1)
    errands.wake()
    await until(lambda: errand.count == 2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert any(path.endswith("/head") for path in cloud.paths)
