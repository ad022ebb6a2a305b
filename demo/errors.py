"""What can go wrong in the demo, each with a reason a person can act on."""

from pathlib import Path
import signal

LOG_LINES = 30


class DemoError(Exception):
    """The demo cannot go on; the text says why."""


class ChildEndedError(DemoError):
    """A program of the demo ended by itself; the last lines of its log are part of the text."""

    def __init__(self, name: str, code: int, log: Path) -> None:
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended by itself with code {code}"
        super().__init__(f"{name} {how}; the last lines of {log}:\n{last_lines(log)}")


class RefusedError(DemoError):
    """Home Assistant or the cloud said no."""


def last_lines(log: Path) -> str:
    """Return the end of a log, indented."""
    if not log.exists():
        return "  (no log)"
    lines = log.read_text(errors="replace").splitlines()[-LOG_LINES:]
    return "\n".join(f"  {line}" for line in lines) or "  (empty)"
