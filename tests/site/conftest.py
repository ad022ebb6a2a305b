"""The site under test: a Home Assistant with an empty configuration folder of its own."""

from collections.abc import AsyncGenerator, Callable, Generator, Mapping
import logging
from pathlib import Path
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigSubentryData
from homeassistant.core import HomeAssistant
from homeassistant.loader import DATA_CUSTOM_COMPONENTS
import pytest

# imported here so that Home Assistant finds this repository's folder and not its own test configuration's
import custom_components.commonwatt  # noqa: F401
from custom_components.commonwatt.const import DOMAIN
from custom_components.commonwatt.devices import modbus
from custom_components.commonwatt.devices.port import Kind
from custom_components.commonwatt.link import SiteKey

from .bus import Bus, Image
from .fake_cloud import FakeCloud, serve
from .house import START, MockConfigEntry, entities_source, subentry
from .meter_device import MeterDevice
from .told_device import Run, ToldDevice, stand_in
from .words import Words, listen, texts, unsaid

# what Home Assistant and its test bed say of themselves, and the tests do not ask for
# the last two: what a bare machine lacks, said by components that ours asks for
EXPECTED_LOGS = ("We found a custom integration", " seconds", "zlib_ng and isal are not available")


@pytest.fixture
def hass(hass: HomeAssistant) -> HomeAssistant:
    """Let Home Assistant load custom integrations."""
    hass.data.pop(DATA_CUSTOM_COMPONENTS)
    return hass


@pytest.fixture
def hass_config_dir(tmp_path: Path) -> str:
    """Give every test a configuration folder of its own."""
    return str(tmp_path)


@pytest.fixture
def expected_logs() -> list[str]:
    """Let a test name the warnings and errors it provokes."""
    return list(EXPECTED_LOGS)


@pytest.fixture(autouse=True)
def _no_unasked_warnings(caplog: pytest.LogCaptureFixture, expected_logs: list[str]) -> Generator[None]:
    """Fail a test whose log has a warning or an error that it did not ask for."""
    yield
    unasked = [
        record.getMessage()
        for record in caplog.get_records("call")
        if record.levelno >= logging.WARNING and not any(words in record.getMessage() for words in expected_logs)
    ]
    assert unasked == []


@pytest.fixture(scope="session")
def site_texts() -> Mapping[str, Any]:
    """Read the texts of the integration once."""
    return texts()


@pytest.fixture(autouse=True)
def said(monkeypatch: pytest.MonkeyPatch, site_texts: Mapping[str, Any]) -> Generator[Words]:
    """Fail a test in which something without words, or with a word missing, was said to a person."""
    words = listen(monkeypatch, site_texts)
    yield words
    assert unsaid(words) == []


@pytest.fixture(autouse=True)
def _told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a site tell all its entities in one slice, however busy the machine is; tests of slices set their own."""
    monkeypatch.setattr("custom_components.commonwatt.slices.SLICE_S", 60)


@pytest.fixture
def clock(freezer: FrozenDateTimeFactory) -> FrozenDateTimeFactory:
    """Stop the clock one minute before an interval boundary."""
    freezer.move_to(START)
    return freezer


@pytest.fixture
def key(hass: HomeAssistant, tmp_path: Path) -> SiteKey:
    """Make the site's key in the place where the site looks for it."""
    (tmp_path / DOMAIN).mkdir(exist_ok=True)
    key = SiteKey.create(tmp_path / DOMAIN / "fresh")
    (tmp_path / DOMAIN / "fresh").rename(tmp_path / DOMAIN / key.kid)
    return key


@pytest.fixture
def make_local(hass: HomeAssistant, key: SiteKey) -> Callable[..., MockConfigEntry]:
    """Return a maker of sites without a cloud."""

    def make(*subentries: ConfigSubentryData, **data: Any) -> MockConfigEntry:
        kept = {"key_id": key.kid, "main_owner": "anna", "main_owner_name": "Anna", "interval_seconds": 60}
        entry = MockConfigEntry(
            domain=DOMAIN, title="Home", unique_id=key.kid, data=kept | data, subentries_data=list(subentries)
        )
        entry.add_to_hass(hass)
        return entry

    return make


@pytest.fixture
async def local(hass: HomeAssistant, make_local: Callable[..., MockConfigEntry], clock: object) -> MockConfigEntry:
    """Run a site without a cloud: Anna's meter T1, Ben's tap T2 below it, both existing entities."""
    entry = make_local(
        subentry("T1", "meter", source=entities_source("sensor.grid_in", "sensor.grid_out")),
        subentry("T2", "tap", owner="ben", owner_name="Ben", upstream="T1", source=entities_source("sensor.flat")),
    )
    set_energy(hass, {"sensor.grid_in": 1000, "sensor.grid_out": 0, "sensor.flat": 500})
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


@pytest.fixture
def run(
    hass: HomeAssistant, make_local: Callable[..., MockConfigEntry], monkeypatch: pytest.MonkeyPatch, clock: object
) -> Run:
    """Return what runs a site with one device in memory, at T1."""

    async def run(device: ToldDevice, kind: Kind) -> MockConfigEntry:
        stand_in(monkeypatch, {"T1": device})
        entry = make_local(subentry("T1", kind, source=entities_source("sensor.any")))
        assert await hass.config_entries.async_setup(entry.entry_id)
        await hass.async_block_till_done()
        return entry

    return run


def set_energy(hass: HomeAssistant, registers_wh: Mapping[str, float]) -> None:
    """Set energy sensors, in Wh."""
    for entity_id, register_wh in registers_wh.items():
        hass.states.async_set(
            entity_id, str(register_wh), {"unit_of_measurement": "Wh", "device_class": "energy"}, force_update=True
        )


@pytest.fixture
async def cloud(socket_enabled: None) -> AsyncGenerator[FakeCloud]:
    """Serve a cloud on the loopback."""
    cloud = FakeCloud()
    server = await serve(cloud)
    yield cloud
    await server.close()


@pytest.fixture
def make_paired(hass: HomeAssistant, key: SiteKey, cloud: FakeCloud) -> Callable[..., MockConfigEntry]:
    """Return a maker of sites that belong to the cloud."""

    def make(*subentries: ConfigSubentryData, **data: Any) -> MockConfigEntry:
        kept = {"key_id": key.kid, "url": cloud.url, "site": cloud.site, "community": "c"}
        kept |= {"client_id": "client", "client_secret": "client-secret-0", "cloud_key": cloud.key.public_key}
        entry = MockConfigEntry(
            domain=DOMAIN, title="Home", unique_id=cloud.site, data=kept | data, subentries_data=list(subentries)
        )
        entry.add_to_hass(hass)
        return entry

    return make


@pytest.fixture
async def device(socket_enabled: None, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[MeterDevice]:
    """Serve a meter on the loopback; a silent one is given up soon."""
    monkeypatch.setattr(modbus, "LINK_TIMEOUT_S", 0.3)
    device = MeterDevice()
    await device.start()
    yield device
    await device.stop()


@pytest.fixture
async def serve_line(socket_enabled: None) -> AsyncGenerator[Callable[..., Any]]:
    """Return what serves Modbus lines with several units on the loopback."""
    running: list[Bus] = []

    async def start(units: dict[int, Image], **settings: Any) -> Bus:
        bus = Bus(units, **settings)
        await bus.start()
        running.append(bus)
        return bus

    yield start
    for bus in running:
        await bus.stop()
