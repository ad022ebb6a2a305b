"""A cloud at which taps change hands, for tests: it knows passcodes, locks after five wrong ones."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from custom_components.commonwatt import wire
from custom_components.commonwatt.wire.strict import load, time_text
from custom_components.commonwatt.wire.transfer import OwnerChange, TapStanding, TapStandings

from .fake_cloud import FakeCloud, problem
from .house import START_S

NOT_BEFORE = START_S + 120
WRONG_FREE = 5


@dataclass
class TransferCloud(FakeCloud):
    """A fake cloud with taps that can be transferred."""

    passcodes: dict[str, str] = field(default_factory=dict)
    taps: dict[str, str] = field(default_factory=lambda: {"T1": "anna", "T2": "ben"})
    pending: dict[str, OwnerChange] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)
    wrong: Counter[str] = field(default_factory=Counter)
    lost_answers: int = 0
    not_before: int = NOT_BEFORE

    def __post_init__(self) -> None:
        """Tell how the taps stand."""
        self.documents["taps"] = lambda _query: self.standings.plain()

    @property
    def standings(self) -> TapStandings:
        """Return how the taps stand."""
        return TapStandings(
            self.site,
            {tap: TapStanding(owner, tap in self.passcodes, self.pending.get(tap)) for tap, owner in self.taps.items()},
        )

    def app(self) -> web.Application:
        """Return the web application."""
        app = super().app()
        app.router.add_put("/v1/sites/{site}/taps/{tap}/passcode", self._passcode)
        app.router.add_post("/v1/sites/{site}/taps/{tap}/transfers", self._transfer)
        return app

    async def _passcode(self, request: web.Request) -> web.Response:
        self.passcodes[request.match_info["tap"]] = load(await request.read())["passcode"]
        return web.Response(status=204)

    async def _transfer(self, request: web.Request) -> web.Response:
        tap, body = request.match_info["tap"], load(await request.read())
        self.asked.append(body)
        known = self.pending.get(tap)
        if known is None or known.transfer != body["id"]:
            if known is not None:
                return problem(409, "transfer-pending", "wait")
            if self.wrong[tap] >= WRONG_FREE:
                return problem(429, "too-many-tries", "wait 600 s", Retry_After="600")
            if body["passcode"] != self.passcodes.get(tap):
                self.wrong[tap] += 1
                return problem(403, "passcode-refused", "the passcode is wrong")
            known = self.pending[tap] = OwnerChange(tap, body["to_owner"], body["id"], self.not_before)
            del self.passcodes[tap]
        if self.lost_answers:
            self.lost_answers -= 1
            return problem(503, "unavailable", "the line is bad")
        answer = {"transfer": known.transfer, "tap": tap, "to_owner": known.owner, "effective_from": None}
        return web.json_response(answer | {"not_before": time_text(known.not_before)}, status=201)

    async def _tree(self, request: web.Request) -> web.Response:
        tree = wire.parse_tree(await request.read())
        for tap, planted in tree.taps.items():
            change, before = self.pending.get(tap), self.taps.get(tap, planted.owner)
            if planted.owner == before:
                continue
            if change is None or change.owner != planted.owner or tree.valid_from < change.not_before:
                return problem(422, "owner-not-transferred", f"{tap} is {before}'s")
            self.taps[tap] = planted.owner
            del self.pending[tap]
        return await super()._tree(request)
