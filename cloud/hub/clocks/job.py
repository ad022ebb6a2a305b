"""Listens to the clocks of connected systems, and writes down what changes, not every message."""

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Callable
import logging

from cloud.database import Database
from cloud.guard import Guard

from . import store
from .clock import Clock, Course, Limits, Notice, OwnState, System, advice, median_of, state_of, trusted

TURN_SECONDS = 1
SYSTEMS_MAX = 50_000  # whose last offsets are kept at hand, some 300 bytes each
DUE_MAX = 1000  # written in one turn
LIMITS_TURNS = 10  # turns between two looks at the communities' limits

LOGGER = logging.getLogger(__name__)


class Clocks:
    """What one process knows of the clocks of the systems that talk to it."""

    def __init__(self, database: Database, own: Callable[[], OwnState] = lambda: "unknown") -> None:
        """Begin with nobody heard; `own` tells how our own clock is."""
        self._database = database
        self._own = own
        self._courses: OrderedDict[System, Course] = OrderedDict()
        self._due: OrderedDict[System, None] = OrderedDict()
        self._limits: dict[str, Limits] = {}
        self._guard = Guard(LOGGER, "writing down clocks")

    def heard(self, system: System, offset_ms: int, at_ms: int) -> Notice:
        """Take note of an offset, and return what the system is to be told."""
        course = self._courses.setdefault(system, Course())
        self._courses.move_to_end(system)
        if len(self._courses) > SYSTEMS_MAX:
            self._courses.popitem(last=False)
        course.offsets.append(offset_ms)
        course.at_ms = at_ms
        limits, own = self.limits(system.community), self._own()
        if trusted(own):
            course.state = state_of(median_of(course.offsets), limits, course.state)
        if course.is_due():
            self._due[system] = None
        return advice(offset_ms, course.state or "right", limits, own)

    def heard_site(self, community: str, site: str, sent_ms: int, received_ms: int) -> None:
        """Take note of a site's clock; the answers to its batches carry the times it corrects itself by."""
        self.heard(System(community, "site", site), sent_ms - received_ms, received_ms)

    def limits(self, community: str) -> Limits:
        """Return the limits of a community, as they were read last."""
        return self._limits.get(community, Limits())

    def know_limits(self, community: str, limits: Limits) -> None:
        """Take new limits of a community at once."""
        self._limits[community] = limits

    async def run(self, clock_ms: Callable[[], int]) -> None:
        """Write down for ever; what fails is tried again when the system is next heard, and logged once."""
        del clock_ms  # every offset has the time of its message
        turns = 0
        while True:
            if turns % LIMITS_TURNS == 0:
                await self._guard("limits", self.read_limits())
            await self.turn()
            turns += 1
            await asyncio.sleep(TURN_SECONDS)

    async def read_limits(self) -> None:
        """Look at which limits communities have set, here or through another process."""
        self._limits = await self._database.read(store.all_limits)

    async def turn(self) -> int:
        """Write down what is due, one transaction a community; return how many clocks that were."""
        due = defaultdict[str, list[System]](list)
        for system in [*self._due][:DUE_MAX]:
            del self._due[system]
            due[system.community].append(system)
        for community, systems in due.items():
            await self._guard(community, self._write(community, systems))
        return sum(map(len, due.values()))

    async def _write(self, community: str, systems: list[System]) -> None:
        courses = [(system, course) for system in systems if (course := self._courses.get(system)) is not None]
        heard = [
            Clock(system, median_of(course.offsets), course.at_ms, course.state or "right", course.at_ms)
            for system, course in courses
        ]
        if not heard:
            return
        judging = trusted(self._own())
        stands = await self._database.write(store.put_clocks, heard, self.limits(community), judging=judging)
        for (_, course), clock in zip(courses, stands, strict=True):
            course.noted_ms, course.noted_state, course.state = clock.at_ms, clock.state, clock.state
