"""Link: the site's end of the wire. Keeps, signs and numbers evidence, brings it to the cloud, hears its notices."""

from .client import CloudClient, NoticeSocket, pair
from .errands import Errand, Errands
from .kept import KeptBoundary, KeptInterval, KeptTree, Remark, SealedBatch
from .outbox import Outbox
from .papers import Paper
from .prices import OwnerPrice, PriceFinding, PriceKeeper, PriceWindow
from .signing import SiteKey, verify_compact, verify_detached
from .statements import StatementKeeper
from .uplink import LinkState, LinkStatus, Runner, Uplink
from .witness import Witnessed

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
    "OwnerPrice",
    "Paper",
    "PriceFinding",
    "PriceKeeper",
    "PriceWindow",
    "Remark",
    "Runner",
    "SealedBatch",
    "SiteKey",
    "StatementKeeper",
    "Uplink",
    "Witnessed",
    "pair",
    "verify_compact",
    "verify_detached",
]
