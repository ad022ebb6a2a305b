"""One run of the demo: sets everything up, shows each settled interval, and leaves nothing running behind."""

import asyncio
from datetime import UTC, datetime
import os
from pathlib import Path
import secrets
import shutil
import signal

import aiohttp

from .errors import DemoError
from .options import Options
from .processes import Children
from .progress import Progress
from .show import show
from .stage import Stage, choose_ports, cloud_environment

ROOT = Path(__file__).parent.parent
RUNS = ROOT / ".demo"
SIGNALLED = 128  # a shell's exit code for a program ended by a signal is this plus the signal's number


async def run(options: Options) -> int:
    """Run the demo to its end and return the exit code; whatever happens, no program is left running."""
    progress = Progress()
    folder = RUNS / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.getpid()}"
    stopper = _Stopper(asyncio.current_task())
    code = 1
    try:
        ports = choose_ports(options)
        folder.mkdir(parents=True)
        stopper.children = Children(folder, cloud_environment(folder, ports[1]))
        async with aiohttp.ClientSession() as session:
            stage = Stage(options, folder, stopper.children, session, progress, *ports, secrets.token_hex(4))
            await stopper.children.guard(show(stage))
        code = 0
    except asyncio.CancelledError:
        code = SIGNALLED + stopper.number if options.once else 0
        progress.say()
    except (DemoError, aiohttp.ClientError, TimeoutError) as error:
        progress.fail(f"The demo failed: {str(error) or type(error).__name__}")
    finally:
        await _clean_up(folder, stopper, progress, keep=options.keep or (code != 0 and not stopper.number))
    return code


class _Stopper:
    """Turns SIGINT, SIGTERM and SIGHUP into an orderly end; another one during that end kills what still runs."""

    def __init__(self, task: asyncio.Task[object] | None) -> None:
        assert task is not None
        self._task = task
        self.number = 0
        self.ending = False
        self.children: Children | None = None
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, self._stop, number)

    def _stop(self, number: int) -> None:
        if not self.ending:
            self.ending = True
            self.number = number
            self._task.cancel()
        elif self.children is not None:
            self.children.kill()


async def _clean_up(folder: Path, stopper: _Stopper, progress: Progress, *, keep: bool) -> None:
    stopper.ending = True
    if stopper.children is not None:
        with progress.step("Home Assistant, house and cloud stop"):
            await stopper.children.stop()
    if stopper.children is not None and keep:
        progress.say(f"  Logs and databases of this run: {folder.relative_to(ROOT)}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
