"""The runner's children: watched, ended in order, and never left behind."""

import asyncio
from collections.abc import AsyncIterator
import os
from pathlib import Path
import re
import signal
import socket
import sys
import time

import pytest

from demo import processes
from demo.errors import ChildEndedError, DemoError
from demo.processes import HOST, Children, free_port, python

pytestmark = pytest.mark.usefixtures("socket_enabled")
SLEEPS = "import time; print('sleeping', flush=True); time.sleep(60)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPS}"
PARENT = """
import asyncio, pathlib, sys
from demo.processes import Children

async def main():
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    child = await Children(pathlib.Path(sys.argv[1]), {}).start("child", command)
    print(child.process.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.fixture
async def children(tmp_path: Path) -> AsyncIterator[Children]:
    started = Children(tmp_path, {"COMMONWATT_PORT": "1"})
    yield started
    started.kill()
    await started.stop()


def code(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def gone(pid: int) -> None:
    async with asyncio.timeout(5):
        while alive(pid):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def forever() -> None:
    await asyncio.Event().wait()


async def test_a_child_that_ends_by_itself_ends_the_work_with_the_end_of_its_log(children: Children) -> None:
    """The person reads which program it was, its code, and its last words."""
    await children.start("cloud", code("import sys; print('no such table'); sys.exit(3)"))
    with pytest.raises(ChildEndedError) as ended:
        await children.guard(forever())
    assert "cloud ended by itself with code 3" in str(ended.value)
    assert "no such table" in str(ended.value)


async def test_a_dead_child_is_a_better_reason_than_what_followed_from_it(children: Children) -> None:
    """A refused connection is explained by the program that is not there any more."""

    async def fails() -> None:
        await children.start("cloud", code("raise SystemExit('disk is full')"))
        raise ConnectionRefusedError

    with pytest.raises(ChildEndedError, match="disk is full"):
        await children.guard(fails())


async def test_guarded_work_returns_what_it_found(children: Children) -> None:
    """As long as all programs run, the work is as if it were alone; its own errors pass through."""
    await children.start("cloud", code(SLEEPS))
    assert await children.guard(asyncio.sleep(0, "found")) == "found"

    async def fails() -> None:
        raise DemoError("because")

    with pytest.raises(DemoError, match="because"):
        await children.guard(fails())


async def test_a_command_returns_what_it_printed(children: Children) -> None:
    """What a one-shot command says is its answer; settings of another cloud on this machine do not reach it."""
    os.environ["COMMONWATT_HOST"] = "example.org"
    try:
        told = await children.run(
            "settings", code("import os; print({k: v for k, v in os.environ.items() if k.startswith('COMMONWATT')})")
        )
    finally:
        del os.environ["COMMONWATT_HOST"]
    assert told == "{'COMMONWATT_PORT': '1'}\n"


async def test_a_command_that_fails_says_why(children: Children) -> None:
    """Its code, what it printed and what it logged."""
    with pytest.raises(DemoError) as failed:
        await children.run("migrate", code("import sys; print('printed'); sys.exit('logged')"))
    assert str(failed.value) == "migrate failed with code 1:\nprinted\n  logged"


async def test_stopped_children_are_gone_even_a_stubborn_one(
    children: Children, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGTERM first; what does not follow in time is killed."""
    monkeypatch.setattr(processes, "STOP_S", 0.5)
    gentle = await children.start("gentle", code(SLEEPS))
    stubborn = await children.start("stubborn", code(STUBBORN))
    async with asyncio.timeout(5):
        while "sleeping" not in stubborn.log.read_text():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await children.stop()
    assert gentle.process.returncode == -signal.SIGTERM
    assert stubborn.process.returncode == -signal.SIGKILL


async def test_children_end_even_if_the_runner_is_killed(tmp_path: Path) -> None:
    """Nobody can catch SIGKILL; the kernel stops the children then."""
    pipe = asyncio.subprocess.PIPE
    parent = await asyncio.create_subprocess_exec(*code(PARENT), str(tmp_path), stdout=pipe)
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert alive(pid)
    parent.kill()
    await parent.wait()
    await gone(pid)


def test_the_usual_port_is_taken_when_it_is_free() -> None:
    """A person finds Home Assistant where it usually is; a taken port gives way to a free one."""
    with socket.socket() as other:
        other.bind((HOST, 0))
        taken = other.getsockname()[1]
        other.listen()
        assert free_port(taken) not in {0, taken}
        with pytest.raises(DemoError, match=f"port {taken} is taken"):
            free_port(taken, required=True)
    assert free_port(taken, required=True) == taken


async def test_a_run_that_cannot_start_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    """A port asked for that is taken: one line, code 1, no traceback, no folder."""
    runs = Path(processes.__file__).parent.parent / ".demo"
    before = set(runs.glob("*"))
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        pipe = asyncio.subprocess.PIPE
        command = python("demo", "--ha-port", str(other.getsockname()[1]))
        demo = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
        begun = time.monotonic()
        _, errors = await demo.communicate()
    assert time.monotonic() - begun < 20
    assert demo.returncode == 1
    assert re.fullmatch(r"The demo failed: port \d+ is taken \(.+\); choose another one\n", errors.decode())
    assert set(runs.glob("*")) == before
