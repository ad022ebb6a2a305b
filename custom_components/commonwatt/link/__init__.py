"""Link: the site's end of the wire. Keeps, signs and numbers evidence, brings it to the cloud, hears its notices."""

from .client import CloudClient, NoticeSocket, pair
from .errands import Errand, Errands
from .kept import KeptBoundary, KeptInterval, KeptTree, Remark, SealedBatch
from .outbox import Outbox
from .papers import Paper
from .signing import SiteKey, verify_compact, verify_detached
from .uplink import LinkState, LinkStatus, Runner, Uplink

__all__ = [
    "CloudClient",
    "Errand",
    "Errands",
    "KeptBoundary",
    "KeptInterval",
    "KeptTree",
    "LinkState",
    "LinkStatus",
    "NoticeSocket",
    "Outbox",
    "Paper",
    "Remark",
    "Runner",
    "SealedBatch",
    "SiteKey",
    "Uplink",
    "pair",
    "verify_compact",
    "verify_detached",
]
