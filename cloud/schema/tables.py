"""Every table of every room on one `metadata`: importing this module is what completes it."""

from cloud import identity
from cloud.database import metadata
from cloud.ingest.batches import store as batches
from cloud.ingest.quarantine import store as quarantine
from cloud.ingest.readings import store as readings
from cloud.ledger import store as ledger
from cloud.ledger.evidence import store as evidence
from cloud.notice import store as notice
from cloud.settlement import store as settlement
from cloud.sites import store as sites
from cloud.sites.access import store as access
from cloud.sites.trees import store as trees
from cloud.tariff import store as tariff

STORES = (
    identity,
    sites,
    access,
    trees,
    batches,
    quarantine,
    readings,
    notice,
    tariff,
    ledger,
    evidence,
    settlement,
)

__all__ = ["STORES", "metadata"]
