"""Every table of every room on one `metadata`: importing this module is what completes it."""

from cloud import identity
from cloud.database import metadata
from cloud.ingest.batches import store as batches
from cloud.ingest.quarantine import store as quarantine
from cloud.ingest.readings import store as readings
from cloud.ledger import store as ledger
from cloud.ledger.evidence import store as evidence
from cloud.ledger.root import store as roots
from cloud.notice import store as notice
from cloud.payment.purchases import store as purchases
from cloud.payment.redemptions import store as redemptions
from cloud.payment.transfers import store as points_transfers
from cloud.payment.vouchers import store as vouchers
from cloud.settlement import store as settlement
from cloud.settlement.correction import store as corrections
from cloud.settlement.credit import store as credit
from cloud.settlement.direct import store as direct
from cloud.sites import store as sites
from cloud.sites.access import store as access
from cloud.sites.links import store as links
from cloud.sites.owners import store as owners
from cloud.sites.owners.registration import store as registration
from cloud.sites.transfer import store as transfers
from cloud.sites.transfer.passcodes import store as passcodes
from cloud.sites.trees import store as trees
from cloud.tariff import store as tariff
from cloud.tariff.series import store as tariff_series

STORES = (
    identity,
    sites,
    access,
    links,
    owners,
    registration,
    trees,
    transfers,
    passcodes,
    batches,
    quarantine,
    readings,
    notice,
    tariff,
    tariff_series,
    ledger,
    evidence,
    roots,
    purchases,
    vouchers,
    redemptions,
    points_transfers,
    settlement,
    corrections,
    direct,
    credit,
)

__all__ = ["STORES", "metadata"]
