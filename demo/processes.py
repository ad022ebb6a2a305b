"""The programs of the demo as child processes: started with a log each, watched, stopped without leaving one behind."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
import ctypes
from dataclasses import dataclass
import os
from pathlib import Path
import signal
import socket
import sys
from typing import Any

from .errors import ChildEndedError, DemoError, last_lines

HOST = "127.0.0.1"
NOTICE_S = 0.5
OWN_SETTINGS = "COMMONWATT_"  # those of another cloud on this machine are not for this one
STOP_S = 20  # Home Assistant writes its last states when it stops
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


@dataclass(frozen=True, slots=True)
class Child:
    """A running program and where it writes its log."""

    name: str
    process: asyncio.subprocess.Process
    log: Path


def python(*arguments: str) -> list[str]:
    """Return the command that runs a module with this very interpreter."""
    return [sys.executable, "-m", *arguments]


def free_port(preferred: int, required: bool = False) -> int:
    """Return the preferred port when it is free, else any free one; a required port that is taken is an error."""
    try:
        return _bound_port(preferred)
    except OSError as error:
        if required:
            raise DemoError(f"port {preferred} is taken ({error.strerror}); choose another one") from error
        return _bound_port(0)


def _bound_port(port: int) -> int:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        bound: int = listener.getsockname()[1]
        return bound


class Children:
    """All child processes of one run."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(OWN_SETTINGS)}
        self._environment = {**inherited, **environment}
        self._children: list[Child] = []
        self._watchers: set[asyncio.Task[None]] = set()
        self._ended: asyncio.Future[Child] = asyncio.get_running_loop().create_future()

    def log(self, name: str) -> Path:
        """Return where a program writes its log."""
        return self._folder / f"{name}.log"

    async def start(self, name: str, command: Sequence[str], *, talks: bool = False) -> Child:
        """Start a program and watch it; with `talks`, its standard input and output are pipes for the runner."""
        log = self.log(name)
        pipe = asyncio.subprocess.PIPE if talks else None
        with log.open("ab") as file:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=pipe or asyncio.subprocess.DEVNULL,
                stdout=pipe or file,
                stderr=file,
                env=self._environment,
                start_new_session=True,  # Ctrl-C reaches the runner alone, which stops the others in order
                preexec_fn=_die_with_parent,
            )
        child = Child(name, process, log)
        self._children.append(child)
        watcher = asyncio.create_task(self._watch(child))
        self._watchers.add(watcher)
        watcher.add_done_callback(self._watchers.discard)
        return child

    async def run(self, name: str, command: Sequence[str]) -> str:
        """Run a program to its end and return what it printed; a failure is an error with its log."""
        log = self.log(name)
        with log.open("ab") as file:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=file,
                env=self._environment,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        try:
            printed, _ = await process.communicate()
        except asyncio.CancelledError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            raise
        if process.returncode:
            ending = printed.decode(errors="replace")
            raise DemoError(f"{name} failed with code {process.returncode}:\n{ending}{last_lines(log)}")
        return printed.decode()

    async def guard[T](self, work: Coroutine[object, object, T]) -> T:
        """Do this work, but raise as soon as one of the programs ends by itself."""
        task = asyncio.create_task(work)
        try:
            either: set[asyncio.Future[Any]] = {task, self._ended}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if task.done() and task.exception() is not None:
                await asyncio.wait({self._ended}, timeout=NOTICE_S)  # a program that died is the better reason
            if self._ended.done():
                child = self._ended.result()
                raise ChildEndedError(child.name, child.process.returncode or 0, child.log)
            return await task
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def stop(self) -> None:
        """Stop all programs in the order they were started; whatever does not follow in time is killed."""
        for watcher in list(self._watchers):
            watcher.cancel()
        for child in self._children:
            await _stop(child)
        self._children.clear()

    def kill(self) -> None:
        """End all programs at once: the answer to a second Ctrl-C."""
        for child in self._children:
            _signal(child, signal.SIGKILL)

    async def _watch(self, child: Child) -> None:
        await child.process.wait()
        if not self._ended.done():
            self._ended.set_result(child)


async def _stop(child: Child) -> None:
    if child.process.returncode is None:
        _signal(child, signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_S):
            await child.process.wait()
    except TimeoutError:
        _signal(child, signal.SIGKILL)
        await child.process.wait()


def _signal(child: Child, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.process.pid, number)


def _die_with_parent() -> None:
    """Let the kernel stop the child when the runner is killed and cannot do it any more (Linux)."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
