"""Slices: listeners are told in order, all of them, in pieces, and never after they have left."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from custom_components.commonwatt import slices
from custom_components.commonwatt.slices import Breath, Teller


class Ground:
    """Listeners that note when they are told, and the task that tells the rest."""

    def __init__(self, count: int) -> None:
        self.told: list[int] = []
        self.listeners: dict[int, tuple[Callable[[], None], object | None]] = {}
        self.tasks: list[asyncio.Task[None]] = []
        for number in range(count):
            self.listen(number)
        self.teller = Teller(self.listeners, self.spawn)

    def listen(self, number: int, also: Callable[[], None] | None = None) -> None:
        """Add a listener."""

        def tell() -> None:
            self.told.append(number)
            if also is not None:
                also()

        self.listeners[number] = (tell, None)

    def spawn(self, rest: Coroutine[Any, Any, None]) -> None:
        """Run what is left."""
        self.tasks.append(asyncio.create_task(rest))

    async def settle(self) -> None:
        """Wait until everybody was told."""
        await asyncio.gather(*self.tasks)


@pytest.fixture
def one_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every slice as short as can be."""
    monkeypatch.setattr(slices, "SLICE_S", -1)


async def test_few_listeners_are_told_at_once() -> None:
    """A site of a few taps is as quick as ever, and needs no task."""
    ground = Ground(20)
    ground.teller.begin()
    assert ground.told == list(range(20))
    assert ground.tasks == []


@pytest.mark.usefixtures("one_each")
async def test_many_are_told_in_order_while_others_have_their_turn() -> None:
    """After each slice whatever waits in the loop runs first."""
    ground = Ground(5)
    turns: list[int] = []

    async def other() -> None:
        while len(ground.told) < 5:
            turns.append(len(ground.told))
            await asyncio.sleep(0)

    ground.teller.begin()
    assert ground.told == [0]
    await asyncio.gather(other(), ground.settle())
    assert ground.told == [0, 1, 2, 3, 4]
    assert len(turns) >= 4


@pytest.mark.usefixtures("one_each")
async def test_whoever_left_is_told_no_more() -> None:
    """An entity that was removed between two slices has no state to write."""
    ground = Ground(4)
    ground.teller.begin()
    del ground.listeners[2]
    await ground.settle()
    assert ground.told == [0, 1, 3]


@pytest.mark.usefixtures("one_each")
async def test_news_before_the_end_reach_everybody_once_more_and_first_those_who_wait() -> None:
    """Nobody is starved by a site whose news come quicker than they are told, and nobody misses the newest."""
    ground = Ground(4)
    ground.teller.begin()
    ground.teller.begin()
    await ground.settle()
    assert ground.told == [0, 1, 2, 3, 0]


@pytest.mark.usefixtures("one_each")
async def test_a_listener_may_bring_news_and_listeners_of_its_own() -> None:
    """As the one does that adds an entity for what a device begins to tell."""
    ground = Ground(2)

    def also() -> None:
        if 9 not in ground.listeners:
            ground.listen(9)
            ground.teller.begin()

    ground.listen(0, also)
    ground.teller.begin()
    await ground.settle()
    assert ground.told[:2] == [0, 1]
    assert set(ground.told) == {0, 1, 9}
    assert ground.told.count(9) == 1


async def test_a_listener_that_fails_keeps_nobody_still(expected_logs: list[str]) -> None:
    """The fault is logged, the others are told, and the next time it is told again."""
    expected_logs.append("An entity could not be told")

    def fail() -> None:
        raise ZeroDivisionError

    ground = Ground(3)
    ground.listen(1, fail)
    ground.teller.begin()
    ground.teller.begin()
    assert ground.told == [0, 1, 2, 0, 1, 2]


async def test_a_breath_is_taken_only_when_a_slice_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a slice nothing is given away."""
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    await Breath().take()
    assert turns == 0
    monkeypatch.setattr(slices, "SLICE_S", -1)
    breath = Breath()
    for _ in range(3):
        await breath.take()
    assert turns == 3
    task.cancel()
