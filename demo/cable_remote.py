"""A hand on a cable that runs as a program of its own: gives it orders and hears what it shows."""

import asyncio
from collections.abc import Mapping
import json
from typing import Any

from .errors import DemoError, RefusedError

ANSWER_S = 20


class CableRemote:
    """Orders to one cable, one after the other."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._turn = asyncio.Lock()
        self.description: Mapping[str, Any] = {}

    async def meet(self) -> None:
        """Read what it says of itself as it starts."""
        self.description = await self._heard()

    @property
    def serial(self) -> str:
        """Return its serial number."""
        return str(self.description["serial"])

    async def order(self, do: str, **said: object) -> dict[str, Any]:
        """Give an order; return what the cable shows after it. One it cannot carry out is an error that says why."""
        assert self._process.stdin is not None
        async with self._turn:
            self._process.stdin.write(json.dumps({"do": do, **said}).encode() + b"\n")
            answer = await self._heard()
        if "error" in answer:
            raise RefusedError(f"the cable refused to {do}: {answer['error']}")
        return answer

    async def _heard(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        async with asyncio.timeout(ANSWER_S):
            line = await self._process.stdout.readline()
        if not line:
            raise DemoError("the cable said nothing any more")
        heard: dict[str, Any] = json.loads(line)
        return heard
