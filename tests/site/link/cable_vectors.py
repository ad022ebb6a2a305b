"""The golden messages about V2G cables: exact bytes that both sides must write and read.

`python -m tests.site.link.cable_vectors` writes them anew; a change of theirs is a change of the language.
"""

import json
from pathlib import Path
from typing import Any

from custom_components.commonwatt.link import SiteKey
from custom_components.commonwatt.wire import (
    Batch,
    CablePeriod,
    CableRecord,
    Intervals,
    Notice,
    PermissionChange,
    Reward,
    Standing,
    TapColumns,
    Visit,
    digest,
    to_bytes,
)

from .cloud_double import CloudKey
from .material import CLOUD_SEED, SEED
from .vectors import START

PATH = Path(__file__).parents[2] / "vectors" / "cable.json"
KEY = "3059301306072a8648ce3d020106082a8648ce3d030107034200" + "04" + "5a" * 64
OCMF = 'OCMF|{"FV":"1.2","PG":"T41","XV":"車"}|{"SA":"ECDSA-secp256r1-SHA256","SD":"3045"}'

BATCH = Batch(
    site="site-1",
    epoch=3,
    seq=1044,
    prev=digest(b"the batch before"),
    made_at=START + 3605,
    intervals=Intervals(
        start=START,
        seconds=1800,
        count=2,
        tree_rev=7,
        taps={"T1": TapColumns("anna", None, (520, 0), (0, 980), ((918_273, 12), (918_273, 992)), ("ok", "ok"))},
        cables=(
            CablePeriod(
                0, "CWC-7", "T1", -1500, True, "match", "dora", "JN1AZ0000", (35_681_236, 139_767_125), 520, 2000
            ),
            CablePeriod(0, "CWC-8", "T1", 0, True, "match", meter_wh=520, consumption_wh=2000),
            CablePeriod(
                1,
                "CWC-7",
                "T1",
                -1500,
                True,
                "suspect",
                place=(-33_868_820, -70_000_001),
                meter_wh=-980,
                before_wh=2100,
            ),
            CablePeriod(1, "CWC-8", "T1", 12, False, "unknown"),
        ),
    ),
    records=(CableRecord("CWC-7", OCMF), CableRecord("CWC-8", "not a record at all")),
)
ONLY_RECORDS = Batch("site-1", 3, 1045, digest(to_bytes(BATCH)), START + 3700, None, (), BATCH.records[:1])
VISIT = Visit("CWC-7", START + 12, "T1", KEY, "dora", "JN1AZ0000", (35_681_236, 139_767_125))
SHORT_VISIT = Visit("CWC-8", START + 12, "T1")
STANDING = Standing(
    cable="CWC-7",
    site="site-1",
    permission="charge_only",
    cause="operator",
    since=START - 60,
    soc_floor_percent=30,
    tolerance_wh=100,
    tolerance_percent=10,
    public_key=KEY,
    last_number=41,
    own=True,
    reward=Reward(31_000_000, 410_500_000, -15_000_000),
)
STRANGER = Standing("CWC-9", "site-1", "denied", "unknown-cable", START, 30, 100, 10)
CHANGE = PermissionChange({"CWC-7": ("denied", "two-places"), "CWC-8": ("allowed", "none")}, 30)
NOTICE = Notice(
    id="01979c5a-0000-7000-8000-000000000002",
    site="site-1",
    kind="permission",
    issued_at=START + 60,
    expires_at=START + 86_460,
    body=CHANGE.plain(),
)


def document() -> dict[str, Any]:
    """Return everything that the file holds; the keys are those of batch.json."""
    site, cloud = SiteKey(SEED), CloudKey(CLOUD_SEED)
    return {
        "rule": "the text of a message, in UTF-8, is the exact bytes that are hashed and signed; keys as in batch.json",
        "batch": _detached(BATCH, site),
        "batch_of_records": _detached(ONLY_RECORDS, site),
        "visit": _detached(VISIT, site),
        "short_visit": _detached(SHORT_VISIT, site),
        "standing": _detached(STANDING, cloud),
        "stranger": _detached(STRANGER, cloud),
        "permission": {"text": to_bytes(NOTICE).decode(), "compact": cloud.compact(to_bytes(NOTICE))},
    }


def _detached(message: Batch | Visit | Standing, key: SiteKey | CloudKey) -> dict[str, str]:
    raw = to_bytes(message)
    return {"text": raw.decode(), "sha256": digest(raw), "signature": key.sign(raw)}


def text() -> str:
    """Return the file's text."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
