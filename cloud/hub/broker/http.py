"""Takes the hub to its broker for as long as the service runs, if one is configured."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

from aiohttp import web

from cloud.endpoint import CLOCK_MS, DATABASE
from cloud.hub.logins.http import TELL_LOGIN
from cloud.hub.messages.http import HUB
from cloud.principal import CLOUD_KEY

from .address import Address
from .job import PURPOSE, BrokerWork
from .store import teller


def go_to_broker(app: web.Application, address: Address | None) -> None:
    """Let what changes a password note it for the broker, and be there while the service runs; raises ConfigError."""
    if address is None:
        return
    app[TELL_LOGIN] = teller(app[CLOUD_KEY].derive(PURPOSE))
    work = BrokerWork(app[DATABASE], app[HUB], app[CLOUD_KEY], address, app[CLOCK_MS])
    app.cleanup_ctx.append(partial(_there, work=work))


async def _there(_app: web.Application, work: BrokerWork) -> AsyncIterator[None]:
    task = asyncio.create_task(work.run(), name="mqtt")
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
