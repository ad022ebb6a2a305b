"""The golden messages: exact bytes, hashes and signatures that both sides, and anybody else's program, must agree on.

`python -m tests.site.link.vectors` writes them anew; a change of theirs is a change of the language.
"""

import json
from pathlib import Path
from typing import Any

from custom_components.commonwatt.link import SiteKey
from custom_components.commonwatt.wire import (
    Answer,
    Batch,
    Incident,
    Intervals,
    Notice,
    TapColumns,
    Telemetry,
    Tree,
    TreeTap,
    digest,
    parse_time,
    thumbprint,
    to_bytes,
)

from .cloud_double import CloudKey
from .material import CLOUD_SEED, SEED

PATH = Path(__file__).parents[2] / "vectors" / "batch.json"
START = parse_time("2026-11-21T05:00:00Z", "start")

TREE = Tree(
    site="site-1",
    rev=7,
    valid_from=START,
    taps={
        "T1": TreeTap("anna", None, "Hauptzähler", 17_000),
        "T2": TreeTap("ben", "T1", "車の充電器"),
        "T3": TreeTap("anna", "T1"),
        "L1": TreeTap("sun", "island"),
    },
)
BATCH = Batch(
    site="site-1",
    epoch=3,
    seq=1042,
    prev=digest(b"the batch before"),
    made_at=START + 3605,
    intervals=Intervals(
        start=START,
        seconds=1800,
        count=2,
        tree_rev=7,
        taps={
            "T1": TapColumns("anna", None, (7300, 0), (0, 41), ((918_273, 12), (918_273, 53)), ("ok", "estimated")),
            "T2": TapColumns("ben", "anna", (0, 900), (0, 0), ((5000, 0), (900, 0)), ("missing", "reset")),
            "L1": TapColumns("sun", None, (0, 0), (0, 1500), ((0, 0), (0, 1500)), ("ok", "ok")),
        },
    ),
    incidents=(
        Incident(START + 2400, "meter-reset", "T2", 'Zähler "getauscht" \\ 交換'),
        Incident(START + 3600, "clock-offset", None, "-2500 ms"),
    ),
)
AMENDING = Batch(
    site="site-1",
    epoch=3,
    seq=1043,
    prev=digest(to_bytes(BATCH)),
    made_at=START + 5405,
    intervals=Intervals(
        start=START,
        seconds=1800,
        count=2,
        tree_rev=7,
        taps={
            "T1": TapColumns("anna", None, (7000, 300), (0, 41), ((917_973, 12), (918_273, 53)), ("ok", "ok")),
            "T2": TapColumns("ben", "anna", (0, 900), (0, 0), ((5000, 0), (900, 0)), ("missing", "reset")),
            "L1": TapColumns("sun", None, (0, 0), (0, 1500), ((0, 0), (0, 1500)), ("ok", "ok")),
        },
        amends=True,
    ),
)
TELLING = Batch(
    site="site-1",
    epoch=3,
    seq=1044,
    prev=digest(to_bytes(AMENDING)),
    made_at=START + 5406,
    intervals=Intervals(
        start=START + 3600,
        seconds=1800,
        count=1,
        tree_rev=7,
        taps={
            "T1": TapColumns("anna", None, (500,), (0,), ((918_773, 53),), ("ok",)),
            "T2": TapColumns("ben", "anna", (0,), (0,), ((900, 0),), ("ok",)),
            "L1": TapColumns("sun", None, (0,), (20,), ((0, 1520),), ("ok",)),
        },
    ),
    telemetry=(
        Telemetry(
            (START + 5400) * 1000 - 250,
            "T1",
            {"power": 1_000_500, "reactive_power": -20_000, "power_factor": 980, "frequency": 49_987, "soc": 55_500},
        ),
        Telemetry((START + 5400) * 1000 - 250, "T1", {"voltage": 230_100, "current": -4_350}, "l1"),
    ),
)
ANSWER = Answer(
    site="site-1",
    epoch=3,
    seq=1042,
    hash=digest(to_bytes(BATCH)),
    result="held",
    acked_through=1041,
    received_ms=START * 1000 + 3_605_120,
    sent_ms=START * 1000 + 3_605_123,
    echo_ms=START * 1000 + 3_605_080,
    reason="unknown-tree",
)
NOTICE = Notice(
    id="01979c5a-0000-7000-8000-000000000001",
    site="site-1",
    kind="balance",
    issued_at=START + 3700,
    expires_at=START + 7 * 86_400,
    body={"owner": "anna", "balance_micro": -1_500_000, "settled_through": "2026-11-21T06:00:00Z"},
)


def document() -> dict[str, Any]:
    """Return everything that the file holds. The seeds are for tests alone."""
    site, cloud = SiteKey(SEED), CloudKey(CLOUD_SEED)
    return {
        "rule": "the text of a message, in UTF-8, is the exact bytes that are hashed and signed",
        "site_key": {"seed_hex": SEED.hex(), "public_key": site.public_key, "kid": site.kid},
        "cloud_key": {
            "seed_hex": CLOUD_SEED.hex(),
            "public_key": cloud.public_key,
            "kid": thumbprint(cloud.public_key),
        },
        "batch": _detached(BATCH, site),
        "amending_batch": _detached(AMENDING, site),
        "telling_batch": _detached(TELLING, site),
        "tree": _detached(TREE, site),
        "answer": _detached(ANSWER, cloud),
        "notice": {"text": to_bytes(NOTICE).decode(), "compact": cloud.compact(to_bytes(NOTICE))},
    }


def _detached(message: Batch | Tree | Answer, key: SiteKey | CloudKey) -> dict[str, str]:
    raw = to_bytes(message)
    return {"text": raw.decode(), "sha256": digest(raw), "signature": key.sign(raw)}


def text() -> str:
    """Return the file's text."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
