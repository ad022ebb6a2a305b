"""The benchmarks measure what they say: what they make up is taken in, and figures are judged the right way round."""

import json
from pathlib import Path
from random import Random
import subprocess
import sys
import time

import numpy as np
import pytest

from cloud.database import Database
from cloud.hub.formats.book import book_with, read
from cloud.hub.formats.builtin import BUILT_IN
from cloud.hub.messages.message import Arrived as Message, Parsed, Sender
from cloud.hub.messages.store import keep_all
from cloud.ingest import store
from cloud.ingest.arrivals.arrival import Arrival, Evidence
from cloud.settlement.engine.nets import net
from cloud.settlement.engine.shares import share
from cloud.wire import detached_parts, digest, parse_batch

from . import extract, hub, netting, posting, settlement
from .figure import Figure, as_json, table
from .sites import make_cloud

NOW = 1_795_262_400


def test_a_figure_is_judged_by_its_goal() -> None:
    """More is better for a rate, less for a time; the last line counts."""
    rate = Figure("rate", "1/s", "limit", 100, 49, 0.5)
    span = Figure("span", "s", "limit", 1, 1.9, 2, more_is_better=False)
    assert (rate.reached, span.reached) == (False, True)
    assert table([rate, span]).splitlines()[-1].startswith("1 of 2 goals reached")
    assert [item["reached"] for item in json.loads(as_json([rate, span], seed=1))["figures"]] == [False, True]


def test_the_batches_that_are_made_up_are_taken_in(tmp_path: Path) -> None:
    """Signed, chained, with registers that agree: every one becomes readings."""
    url = f"sqlite:///{tmp_path}/cloud.db"
    sites = make_cloud(url, tmp_path / "cloud.key", 3, Random(1), NOW)
    database = Database(url)
    for _ in range(3):
        arrivals = []
        for site in sites:
            raw, signature = site.next(30, Random(2))
            kid = detached_parts(signature, raw)[0]
            evidence = Evidence(raw, digest(raw), signature, kid, NOW * 1000)
            arrivals.append(Arrival(site.community, parse_batch(raw), evidence))
        with database.engine.begin() as conn:
            kept = store.keep_all(conn, arrivals)
        assert [item and (item.verdict, item.held) for item in kept] == [("created", None)] * 3
    database.dispose()


def test_the_day_that_is_made_up_settles_to_zero() -> None:
    """Energy and points of every interval sum to zero, with the grid's."""
    first, readings, tariffs = settlement.columns(2, np.random.default_rng(1))
    nets = net(first, readings)
    shares = share(first, nets, tariffs)
    assert len(readings.slot) == 2 * settlement.INTERVALS * settlement.SITES * 3
    assert not np.add.reduceat(nets.net_wh, first[:-1]).any()
    assert not np.add.reduceat(shares.points_micro, first[:-1]).any()
    assert not shares.beyond.any()


def test_posting_and_netting_run() -> None:
    """On small sizes, so that what they call still is what is called."""
    assert {figure.unit for figure in posting.measure(0.01, 1)} == {"postings/s"}
    assert {figure.unit for figure in netting.measure(0.01, 1)} == {"µs"}


def test_the_messages_that_are_made_up_are_stored_whole(tmp_path: Path) -> None:
    """Every reading of every size is new, and so it is in the next message."""
    url = f"sqlite:///{tmp_path}/cloud.db"
    [device] = hub.make_hub(url, tmp_path / "cloud.key", 1)
    sender = Sender(hub.COMMUNITY, device.device, {device.device: device.device}, device.device)
    database, received_ms = Database(url), time.time_ns() // 1_000_000
    for readings in (*hub.SIZES, 300):
        raw = device.next(readings)
        parsed = read(book_with(BUILT_IN.values()), raw, received_ms)
        assert isinstance(parsed, Parsed)
        with database.engine.begin() as conn:
            [taken] = keep_all(conn, [Message(sender, "push", received_ms, raw, parsed)])
        assert (taken.stored, taken.faults) == (readings, ())
    database.dispose()
    assert hub.insert_limit(tmp_path, 0.01) > 0


def test_what_is_extracted_is_what_the_limit_selects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every reading that is filled in, and nothing else."""
    monkeypatch.setattr(extract, "INSTANTS", 100)
    monkeypatch.setattr(extract, "ROWS", 100 * hub.DEVICES * len(extract.QUANTITIES))
    url = f"sqlite:///{tmp_path}/cloud.db"
    hub.make_hub(url, tmp_path / "cloud.key")
    database = Database(url)
    assert extract.fill(database, tmp_path / "cloud.key").count(".") == 2
    database.dispose()
    assert extract.select_limit(tmp_path, 0.01) > 0


LOOP = """
import json
from tests.benchmarks.loop import measure
print(json.dumps({figure.name: figure.ours for figure in measure(0.1, full=False, taps=8)}))
"""


def test_the_loop_of_a_small_site_is_measured() -> None:
    """In a program of its own, as a benchmark is: every device answers, and something took its time."""
    run = subprocess.run([sys.executable, "-c", LOOP], capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr
    ours = json.loads(run.stdout)
    assert {"loop, 8 taps: longest block", "loop, 8 taps: a poll", "loop, 8 taps: memory"} <= ours.keys()
    assert ours["loop, 8 taps: a poll"] > 0
    assert ours["loop, 8 taps: memory"] > 0


POLL = """
import json
from tests.benchmarks.poll import measure
print(json.dumps([figure.ours for figure in measure(0.3, many=3)] + [figure.limit for figure in measure(0.3, many=3)]))
"""


def test_a_poll_is_measured_beside_home_assistants_own() -> None:
    """In a program of its own: one request of ours for sixteen of a hub configured in YAML, every meter answering."""
    run = subprocess.run([sys.executable, "-c", POLL], capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr
    requests, rate, own_ms, many_ms, hub_requests, hub_rate, *_ = json.loads(run.stdout)
    assert (requests, hub_requests) == (1, 16)
    assert rate > hub_rate
    assert own_ms >= 20
    assert many_ms >= 20
