"""Every table of every room on one `metadata`: importing this module is what completes it."""

from cloud import identity
from cloud.database import metadata
from cloud.hub.broker import store as hub_broker
from cloud.hub.clocks import store as hub_clocks
from cloud.hub.devices import store as hub_devices
from cloud.hub.events import store as hub_events
from cloud.hub.formats import store as hub_formats
from cloud.hub.logins import store as hub_logins
from cloud.hub.messages import store as hub_messages
from cloud.hub.policy import store as hub_policy
from cloud.hub.reach import store as hub_reach
from cloud.hub.readings import store as hub_readings
from cloud.hub.registration import store as hub_registration
from cloud.hub.sources import store as hub_sources
from cloud.hub.watch.findings import store as hub_watch_findings
from cloud.hub.watch.limits import store as hub_watch_limits
from cloud.hub.wiring import store as hub_wiring
from cloud.hub.wiring.history import store as hub_wiring_history
from cloud.hub.wiring.rates import store as hub_demand_rates
from cloud.ingest.batches import store as batches
from cloud.ingest.cables import store as batch_cables
from cloud.ingest.quarantine import store as quarantine
from cloud.ingest.readings import store as readings
from cloud.ingest.telemetry import store as telemetry
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
from cloud.tariff.market import store as tariff_market
from cloud.tariff.series import store as tariff_series
from cloud.v2g.cables import store as cables
from cloud.v2g.corrections import store as supply_corrections
from cloud.v2g.corrections.delivery import store as correction_deliveries
from cloud.v2g.judgement import store as judgement
from cloud.v2g.permission import store as permission
from cloud.v2g.place import store as places
from cloud.v2g.provider.readings import store as supply_readings
from cloud.v2g.records import store as cable_records
from cloud.v2g.records.findings import store as record_findings
from cloud.v2g.reward import store as rewards
from cloud.v2g.terms import store as v2g_terms
from cloud.v2g.visits import store as visits

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
    batch_cables,
    telemetry,
    notice,
    tariff,
    tariff_series,
    tariff_market,
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
    cables,
    visits,
    cable_records,
    record_findings,
    v2g_terms,
    places,
    supply_readings,
    permission,
    judgement,
    rewards,
    supply_corrections,
    correction_deliveries,
    hub_devices,
    hub_broker,
    hub_logins,
    hub_messages,
    hub_clocks,
    hub_policy,
    hub_reach,
    hub_readings,
    hub_sources,
    hub_registration,
    hub_events,
    hub_formats,
    hub_wiring,
    hub_wiring_history,
    hub_demand_rates,
    hub_watch_limits,
    hub_watch_findings,
)

__all__ = ["STORES", "metadata"]
