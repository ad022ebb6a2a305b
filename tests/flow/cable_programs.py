"""The cables of a story, each a program of its own, with a key that no test ever sees."""

import asyncio
import signal
import sys

from demo.cable_remote import CableRemote


class CablePrograms:
    """Starts and ends them. Energy flows `speed` times as fast as it would."""

    def __init__(self, speed: int) -> None:
        self._speed = str(speed)
        self._running: list[asyncio.subprocess.Process] = []

    async def start(self, serial: str, *, user: str = "dora", energy_wh: int = 20_000) -> CableRemote:
        """Start a cable with a car behind it; it is in no socket yet."""
        said = ["--serial", serial, "--user", user, "--vehicle", f"CAR-{serial}", "--energy-wh", str(energy_wh)]
        command = [sys.executable, "-m", "demo", "cable", "--speed", self._speed, *said]
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
        self._running.append(process)
        remote = CableRemote(process)
        await remote.meet()
        return remote

    async def stop(self) -> None:
        """End them all."""
        for process in self._running:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
        for process in self._running:
            await process.wait()
