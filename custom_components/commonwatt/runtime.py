"""Opening and closing a site: key, outbox, meters, pump and link, each in its order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryAuthFailed, ConfigEntryError, ConfigEntryNotReady
from homeassistant.helpers import device_registry as dr
from homeassistant.util.hass_dict import HassKey

from .arrivals import Arrivals
from .breaker import build_breakers
from .cloud import SiteCloud, client_of
from .const import CONF_KEY_ID, DOMAIN, FOLDER
from .coordinator import CommonwattConfigEntry, SiteCoordinator
from .credit import Price
from .devices.library import async_profiles
from .devices.port import Breaker, Device
from .devices.profile import Profile
from .errors import BadSignature, CloudRefused, CloudUnreachable, KeyFileError, NotAuthorised, OutboxError
from .fitting import build_devices
from .handover import Handover
from .issues import clear_issue, raise_issue, show_issue
from .keeper import RegisterKeeper
from .link import CloudClient, SiteKey
from .metering import TreeError, plant
from .records import async_shelve
from .site import (
    SiteSettings,
    TapConfig,
    is_paired,
    rehang_orphans,
    remember_taps,
    settings_of_cloud,
    settings_of_entry,
    tap_configs,
    tree_taps,
)
from .store import Store
from .supply import NOTICE_CREDIT, Parts, Prices, Supply
from .transfers import Transfers, async_take_up
from .visits import Visits
from .wish import KINDS_WITH_A_CAR, Wish

HANDOVERS: HassKey[dict[str, Handover]] = HassKey(f"{DOMAIN}_handovers")


@dataclass(slots=True)
class SiteRuntime:
    """A running site; `cloud` and `supply` are None for a site without a cloud.

    `wishes` are what people wish of the cars at chargers and cables, by tap.
    """

    coordinator: SiteCoordinator
    store: Store
    cloud: SiteCloud | None
    supply: Supply | None
    devices: Mapping[str, Device]
    breakers: Mapping[str, Breaker]
    profiles: Mapping[str, Profile]
    keeper: RegisterKeeper
    key_id: str
    device_id: str
    visits: Visits
    wishes: dict[str, Wish] = field(default_factory=dict)
    arrivals: Arrivals = field(init=False)
    closed: bool = False

    async def async_close(self, hass: HomeAssistant, entry_id: str) -> None:
        """End the link, then the pump, then the outbox; what a reload needs stays in memory."""
        if self.closed:
            return
        self.closed = True
        if self.supply is not None:
            await self.supply.async_stop()
        await self.visits.async_stop()
        if self.cloud is not None:
            await self.cloud.async_stop()
        if (handover := await self.coordinator.async_end()) is not None:
            hass.data.setdefault(HANDOVERS, {})[entry_id] = handover
        await self.keeper.async_close()
        await self.store.async_close()


def site_folder(hass: HomeAssistant, key_id: str) -> Path:
    """Return where a site's key and outbox lie."""
    return Path(hass.config.path(FOLDER, key_id))


async def open_site(hass: HomeAssistant, entry: CommonwattConfigEntry) -> SiteRuntime:
    """Open everything of a site but its platforms; raises what Home Assistant shows at the entry."""
    folder = site_folder(hass, entry.data[CONF_KEY_ID])
    key = await _load_key(hass, entry, folder) if is_paired(entry.data) else None
    try:
        store = await Store.async_open(folder, paired=key is not None)
        try:
            runtime = await _build(hass, entry, store, key)
        except BaseException:
            await store.async_close()
            raise
    except OutboxError as error:
        raise outbox_not_ready(hass, entry, error) from error
    clear_issue(hass, entry.entry_id, "outbox_failed")
    return runtime


@callback
def outbox_not_ready(hass: HomeAssistant, entry: CommonwattConfigEntry, error: OutboxError) -> ConfigEntryNotReady:
    """Tell that the outbox failed as a site was opened, and return what lets Home Assistant try again."""
    raise_issue(hass, entry.entry_id, "outbox_failed", {"error": error.detail})
    return ConfigEntryNotReady(
        translation_domain=DOMAIN, translation_key="outbox_failed", translation_placeholders={"error": error.detail}
    )


async def _load_key(hass: HomeAssistant, entry: CommonwattConfigEntry, folder: Path) -> SiteKey:
    try:
        key = await hass.async_add_executor_job(SiteKey.load, folder)
    except KeyFileError as error:
        # a new key would be a new site: what the old one measured would belong to nobody
        raise_issue(hass, entry.entry_id, "key_lost", {"error": str(error), "folder": str(folder)})
        raise ConfigEntryError(
            translation_domain=DOMAIN, translation_key="key_lost", translation_placeholders={"error": str(error)}
        ) from error
    clear_issue(hass, entry.entry_id, "key_lost")
    return key


async def _build(hass: HomeAssistant, entry: CommonwattConfigEntry, store: Store, key: SiteKey | None) -> SiteRuntime:
    client = None if key is None else client_of(hass, entry, key)
    former = await store.async_newest_parents()
    rehang_orphans(hass, entry, former)
    remember_taps(hass, entry)
    if client is None:
        settings = settings_of_entry(entry.data, tap_configs(entry).values())
    else:
        settings = await _cloud_settings(store, client)
    standings = None if client is None else await async_take_up(hass, entry, store, settings)
    taps = tap_configs(entry)
    _check_tree(taps, settings)
    _tell_unknown_owners(hass, entry, taps, settings)
    profiles = await async_profiles(hass)
    devices = build_devices(hass, entry, taps, profiles)
    keeper = RegisterKeeper(hass, entry.entry_id)
    await keeper.async_open(devices, await store.run(store.outbox.boundaries))
    handover = hass.data.get(HANDOVERS, {}).pop(entry.entry_id, None)
    coordinator = SiteCoordinator(
        hass,
        entry,
        store=store,
        settings=settings,
        taps=taps,
        devices=devices,
        handover=handover,
    )
    cloud = None if client is None else SiteCloud(hass, entry, store, client, coordinator)
    coordinator.cloud = cloud
    if cloud is not None:
        transfers = Transfers(hass, entry, store, settings)
        transfers.follow(cloud, standings)
    breakers = build_breakers(hass, taps, devices)
    supply = None
    if cloud is not None:
        supply = _supply(hass, entry, cloud, Parts(store, coordinator, breakers, prices_of(cloud)))
    visits = Visits(hass, entry, store, coordinator, devices)
    await visits.async_open()
    if cloud is not None:
        await async_shelve(store, devices, coordinator.periods, cloud.nudge, visits.holds_records)
    site_device = dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id,
        identifiers={(DOMAIN, entry.data[CONF_KEY_ID])},
        entry_type=dr.DeviceEntryType.SERVICE,
        manufacturer="Commonwatt",
        name=entry.title,
    )
    key_id = entry.data[CONF_KEY_ID]
    wishes = {tap.tap: Wish() for tap in taps.values() if tap.kind in KINDS_WITH_A_CAR}
    return SiteRuntime(
        coordinator, store, cloud, supply, devices, breakers, profiles, keeper, key_id, site_device.id, visits, wishes
    )


def _supply(hass: HomeAssistant, entry: CommonwattConfigEntry, cloud: SiteCloud, parts: Parts) -> Supply:
    supply = Supply(hass, entry, parts, in_touch=lambda: cloud.state.connected)
    cloud.listen(NOTICE_CREDIT, supply.hear)
    return supply


def prices_of(cloud: SiteCloud) -> Prices:
    """Return what tells the grid's prices as the cloud promised them."""

    async def prices(owner: str, starts: Sequence[int]) -> Mapping[int, Price]:
        found = await cloud.prices.prices(owner, starts)
        if starts and not found:  # as of an owner who had no tap here when prices were fetched
            cloud.prices.hurry()
            cloud.errands.wake()
        return {
            start: Price(price.grid_buy_micro_per_wh, price.grid_sell_micro_per_wh) for start, price in found.items()
        }

    return prices


async def _cloud_settings(store: Store, client: CloudClient) -> SiteSettings:
    """Return the settings kept last; only a site that never had any must ask, and wait for the answer."""
    if (kept := await store.run(store.outbox.settings)) is not None:
        return settings_of_cloud(kept)
    try:
        settings = await client.settings()
        await store.run(store.outbox.keep_settings, settings)
    except NotAuthorised as error:
        raise ConfigEntryAuthFailed(translation_domain=DOMAIN, translation_key="not_authorised") from error
    except (CloudUnreachable, CloudRefused, BadSignature) as error:
        raise ConfigEntryNotReady(
            translation_domain=DOMAIN, translation_key="no_settings", translation_placeholders={"error": str(error)}
        ) from error
    return settings_of_cloud(settings)


def _check_tree(taps: Mapping[str, TapConfig], settings: SiteSettings) -> None:
    try:
        plant(tree_taps(taps, settings))
    except TreeError as error:
        raise ConfigEntryError(
            translation_domain=DOMAIN,
            translation_key="tree_broken",
            translation_placeholders={"tap": taps[error.tap].name},
        ) from error


@callback
def _tell_unknown_owners(
    hass: HomeAssistant, entry: CommonwattConfigEntry, taps: Mapping[str, TapConfig], settings: SiteSettings
) -> None:
    unknown = [tap.name for tap in taps.values() if tap.owner not in settings.owners]
    show_issue(hass, entry.entry_id, "owner_unknown", unknown, main_owner=settings.owners[settings.main_owner])
