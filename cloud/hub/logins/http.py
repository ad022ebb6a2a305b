"""What the door of connected systems is known by to whoever takes in what they push, and how initial passwords come.

Hashing a chosen one takes tens of milliseconds: it goes through the gate that passcodes go through.
"""

import asyncio
import secrets

from aiohttp import web

from cloud.endpoint import CLOCK_MS
from cloud.principal import CLOUD_KEY
from cloud.sites.transfer.passcodes.argon import hashed
from cloud.sites.transfer.passcodes.http import GATE

from .job import Doors
from .secret import INITIAL_BYTES, INITIAL_SECONDS, PURPOSE, initial_hmac, initial_text
from .store import Tell

DOORS = web.AppKey("doors", Doors)
TELL_LOGIN: web.AppKey[Tell] = web.AppKey("tell_login")


async def initial_of(request: web.Request, device: str, chosen: str | None) -> tuple[str, tuple[str, int]]:
    """Return a device's initial password, drawn unless it was chosen, with what is kept of it and until when."""
    until = request.app[CLOCK_MS]() // 1000 + INITIAL_SECONDS
    if chosen is None:
        text = initial_text(secrets.token_bytes(INITIAL_BYTES))
        return text, (initial_hmac(request.app[CLOUD_KEY].derive(PURPOSE), device, text), until)
    async with request.app[GATE].passed():
        return chosen, (await asyncio.to_thread(hashed, chosen), until)
