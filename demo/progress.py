"""What the demo is doing now, and how long each step took, one line each."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
import sys
import time

from .errors import DemoError

POLL_S = 0.25
STEP_WIDTH = 66


async def until(holds: Callable[[], Awaitable[bool]], most_s: float, otherwise: str) -> None:
    """Ask again and again until this holds; after `most_s` seconds it is an error with these words."""
    give_up_at = time.monotonic() + most_s
    while not await holds():
        if time.monotonic() > give_up_at:
            raise DemoError(f"{otherwise}: waited {most_s:.0f} s")
        await asyncio.sleep(POLL_S)


class Progress:
    """The lines a person watches. On a terminal the last line also counts down; in a log it does not."""

    def __init__(self) -> None:
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")  # a terminal that has no tick shows a question mark
        self._started = time.monotonic()
        self._live = sys.stdout.isatty()
        self._counting = False

    @property
    def spent_s(self) -> float:
        """Return the seconds since the demo was started."""
        return time.monotonic() - self._started

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Print what begins now, and a tick with the seconds it took once it is done."""
        begun = time.monotonic()
        self.say(f"  {what} ".ljust(STEP_WIDTH, "."), end=" ")
        try:
            yield
        except BaseException:
            print("✗", flush=True)
            raise
        print(f"✓ {time.monotonic() - begun:5.1f} s", flush=True)

    def say(self, text: str = "", end: str = "\n") -> None:
        """Print a line that stays."""
        if self._counting:
            print("\r\033[K", end="")
            self._counting = False
        print(text, end=end, flush=True)

    def fail(self, text: str) -> None:
        """Print why it cannot go on, where errors belong."""
        self.say()
        print(text, file=sys.stderr, flush=True)

    def count(self, text: str) -> None:
        """Show a line that the next one replaces; nothing where lines cannot be replaced."""
        if self._live:
            print(f"\r\033[K{text}", end="", flush=True)
            self._counting = True
