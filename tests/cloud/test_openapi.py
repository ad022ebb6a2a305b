"""The description of the service is true: every endpoint, every problem, every message."""

import importlib.metadata
import json
from typing import Any

from openapi_spec_validator import validate
from pydantic import BaseModel
import pytest

from cloud import app as app_module
from cloud.doors import DOCUMENT, ENDPOINTS
from cloud.errors import INTERNAL, ProblemKind
from cloud.ingest.bodies import AnswerMessage, BatchMessage, HeadMessage
from cloud.openapi import document, problems_of
from cloud.sites.bodies import PairedMessage, PairingMessage, SettingsMessage, TreeAnswerMessage, TreeMessage
from cloud.sites.transfer.bodies import TapStandingsMessage
from cloud.tariff.quote.bodies import SitePricesMessage
from cloud.v2g.visits.bodies import StandingMessage, VisitMessage
from cloud.wire import (
    GENESIS,
    ISLAND,
    Answer,
    Batch,
    CablePeriod,
    CableRecord,
    Head,
    Incident,
    Intervals,
    Paired,
    PairingRequest,
    Reward,
    Settings,
    Standing,
    TapColumns,
    Telemetry,
    Tree,
    TreeAnswer,
    TreeTap,
    Visit,
    to_bytes,
)
from cloud.wire.prices import OwnerPrices, Prices
from cloud.wire.transfer import OwnerChange, TapStanding, TapStandings

from .conftest import NOON, Cloud

KEY = "A" * 43
CABLE = CablePeriod(0, "c", "t", -5, True, "match", "u", "v", (1, -1), 7, 8, 9)
EARNED = Reward(1, 2, 3)
COLUMNS = TapColumns("anna", None, (1,), (0,), ((5, 0),), ("ok",))
MESSAGES: list[tuple[type[BaseModel], Any]] = [
    (PairingMessage, PairingRequest("code", "Home", "UTC", KEY, 1, -1)),
    (PairedMessage, Paired("s", "c", "s", "secret", KEY)),
    (SettingsMessage, Settings("s", "c", "C", 1800, 1, "anna", {"anna": "Anna"})),
    (TreeMessage, Tree("s", 1, NOON, {"t": TreeTap("anna", ISLAND, "Main", 100), "u": TreeTap("ben", None)})),
    (TreeAnswerMessage, TreeAnswer("s", 1, GENESIS, "created")),
    (TapStandingsMessage, TapStandings("s", {"t": TapStanding("anna", True, OwnerChange("t", "ben", "x", NOON))})),
    (HeadMessage, Head("s", 0, 0, GENESIS)),
    (
        SitePricesMessage,
        Prices("s", "c", NOON, 1800, 2, (None, 1), {"anna": OwnerPrices((None, -1), (0, 2))}, "EUR", 100),
    ),
    (AnswerMessage, Answer("s", 1, 1, GENESIS, "held", 0, 1, 2, 3, "future")),
    (BatchMessage, Batch("s", 1, 1, GENESIS, NOON, Intervals(NOON, 1800, 1, 1, {"t": COLUMNS}))),
    (BatchMessage, Batch("s", 1, 1, GENESIS, NOON, None, (Incident(NOON, "k", "t", "d"),))),
    (BatchMessage, Batch("s", 1, 1, GENESIS, NOON, Intervals(NOON, 1800, 1, 1, {"t": COLUMNS}, cables=(CABLE,)))),
    (BatchMessage, Batch("s", 1, 1, GENESIS, NOON, None, records=(CableRecord("c", "OCMF|{}|{}"),))),
    (BatchMessage, Batch("s", 1, 1, GENESIS, NOON, None, telemetry=(Telemetry(NOON, "t", {"power": -1}, "l1"),))),
    (VisitMessage, Visit("c", NOON, "t", "00", "u", "v", (1, -1))),
    (StandingMessage, Standing("c", "s", "denied", "place", NOON, 30, 100, 10, "00", 5, own=True, reward=EARNED)),
    (StandingMessage, Standing("c", "s", "allowed", "none", NOON, 30, 100, 10)),
]


async def test_the_document_is_valid_openapi(cloud: Cloud) -> None:
    """Checked by somebody else's rules."""
    reply = await cloud.call("GET", "/openapi.json")
    validate(reply.json)


async def test_every_route_is_described_and_nothing_else(cloud: Cloud) -> None:
    """Whoever adds an endpoint describes it."""
    routed = {
        (route.method, route.resource.canonical)
        for route in cloud.client.app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    described = {
        (method.upper(), path)
        for path, operations in cloud.client.app[DOCUMENT]["paths"].items()
        for method in operations
    }
    assert routed == described


def test_names_of_operations_and_models_are_unique() -> None:
    """Generators of clients make functions and classes of them."""
    described = document(ENDPOINTS, "http://cloud.test", "0")
    operations = [operation for path in described["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names))
    assert not [name for name in described["components"]["schemas"] if "__" in name]


def test_a_kind_of_problem_has_one_meaning() -> None:
    """The same name always comes with the same status and title."""
    kinds: dict[str, ProblemKind] = {}
    for endpoint in ENDPOINTS:
        for kind in problems_of(endpoint):
            assert kinds.setdefault(kind.name, kind) == kind
        assert INTERNAL in problems_of(endpoint)
    assert len(kinds) > 15


@pytest.mark.parametrize(("model", "message"), MESSAGES, ids=lambda item: getattr(item, "__name__", ""))
def test_the_described_messages_are_those_of_the_wire(model: type[BaseModel], message: Any) -> None:
    """Every member of a message is described, and nothing that is described is missing in it."""
    sent = json.loads(to_bytes(message))
    assert model.model_validate(sent).model_dump(exclude_unset=True) == sent
    assert set(model.model_fields) - set(sent) <= {
        name for name, field in model.model_fields.items() if not field.is_required()
    }


def test_the_version_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Installed or run from a checkout."""
    assert app_module.version()
    monkeypatch.setattr(importlib.metadata, "version", lambda _name: "1.2.3")
    assert app_module.version() == "1.2.3"


def test_handlers_are_documented() -> None:
    """A handler says in its first line what it does."""
    assert all((endpoint.handler.__doc__ or "").strip() for endpoint in ENDPOINTS)
