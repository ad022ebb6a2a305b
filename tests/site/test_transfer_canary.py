"""A passcode typed into Home Assistant goes to the cloud and stays nowhere: looked for in everything that is kept."""

from collections.abc import AsyncGenerator, Callable, Mapping
import json
import logging
from pathlib import Path
import time
from typing import Any

from homeassistant.components.recorder.core import Recorder
from homeassistant.components.repairs.const import DOMAIN as REPAIRS
from homeassistant.const import MATCH_ALL
from homeassistant.core import Event, HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.recorder import get_instance
from homeassistant.setup import async_setup_component
import pytest
from sqlalchemy import inspect, text

from custom_components.commonwatt.const import DOMAIN
from custom_components.commonwatt.diagnostics import async_get_config_entry_diagnostics

from .conftest import set_energy
from .fake_cloud import serve
from .handing import TransferCloud
from .house import MockConfigEntry, entities_source, subentry, value
from .test_cloud import until
from .test_transfer import device_of, open_transfer, submit

CANARY = "canary-zyxq-passcode"
TRACE = "zyxq"  # no id or hash has these letters


@pytest.fixture
async def cloud(socket_enabled: None) -> AsyncGenerator[TransferCloud]:
    """Serve a cloud at which Ben's tap has the canary as its passcode."""
    soon = (int(time.time()) // 60 + 10) * 60
    cloud = TransferCloud(passcodes={"T2": CANARY}, not_before=soon)
    cloud.owners["sun"] = "Sun"
    server = await serve(cloud)
    yield cloud
    await server.close()


@pytest.fixture
async def recorded(
    recorder_mock: Recorder,
    hass: HomeAssistant,
    cloud: TransferCloud,
    make_paired: Callable[..., MockConfigEntry],
    expected_logs: list[str],
) -> MockConfigEntry:
    """Run a paired site beside a recorder that keeps whatever happens."""
    expected_logs += ["zlib_ng"]
    set_energy(hass, {"sensor.grid_in": 1000, "sensor.flat": 500})
    entry = make_paired(
        subentry("T1", "meter", source=entities_source("sensor.grid_in")),
        subentry("T2", "tap", owner="ben", upstream="T1", source=entities_source("sensor.flat")),
    )
    assert await async_setup_component(hass, REPAIRS, {})
    assert await hass.config_entries.async_setup(entry.entry_id)
    await until(hass, lambda: value(hass, entry, "cloud_link", "binary_sensor") == "on" and cloud.trees)
    return entry


async def test_a_passcode_stands_nowhere_in_home_assistant(
    recorded: MockConfigEntry,
    hass: HomeAssistant,
    cloud: TransferCloud,
    caplog: pytest.LogCaptureFixture,
    hass_storage: Mapping[str, Any],
) -> None:
    """In no event, recorder's table, log line, registry, stored file or diagnostics: by the action and at the tap."""
    caplog.set_level(logging.DEBUG)
    entry, events = recorded, list[Event]()
    hass.bus.async_listen(MATCH_ALL, events.append)
    form = await open_transfer(hass, entry, "T1")
    form = await submit(hass, form, owner="sun", passcode=CANARY, repeated=CANARY + "x")
    shown = [form, await submit(hass, form, owner="sun", passcode=CANARY, repeated=CANARY)]
    assert shown[-1]["reason"] == "transferred"
    shown += await through_the_action(hass, entry)
    assert [asked["passcode"] for asked in cloud.asked] == [CANARY, CANARY + "-wrong", CANARY]

    await hass.async_block_till_done()
    diagnostics = await async_get_config_entry_diagnostics(hass, entry)
    registries = [str(vars(issue)) for issue in ir.async_get(hass).issues.values()]
    kept = [entry.as_dict(), diagnostics, hass_storage, registries, [event.as_dict() for event in events]]
    assert "call_service" in {event.event_type for event in events}
    assert TRACE not in json.dumps(kept, default=str)
    assert TRACE not in str(shown)
    assert TRACE not in caplog.text
    assert await found_in_recorder(hass, "transfer_tap"), "the search finds what is there"
    assert not await found_in_recorder(hass, TRACE)
    assert found_in_files(hass, entry.data["key_id"])
    assert not found_in_files(hass, TRACE)


def found_in_files(hass: HomeAssistant, words: str) -> list[Path]:
    """Return the files of the configuration folder in which words stand, or that are named so."""
    files = [path for path in Path(hass.config.config_dir).rglob("*") if path.is_file()]
    return [path for path in files if words in str(path) or words.encode() in path.read_bytes()]


async def through_the_action(hass: HomeAssistant, entry: MockConfigEntry) -> list[Any]:
    """Transfer Ben's tap by the action and its repair, with a wrong passcode first; return every form."""
    data = {"device_id": device_of(hass, entry, "T2"), "owner": "sun"}
    await hass.services.async_call(DOMAIN, "transfer_tap", data, blocking=True)
    flows = hass.data[REPAIRS]["flow_manager"]
    form = await flows.async_init(DOMAIN, context={"issue_id": f"transfer_tap_{entry.entry_id}_T2"})
    shown = [await flows.async_configure(form["flow_id"], {"owner": "sun", "passcode": CANARY + "-wrong"})]
    shown.append(await flows.async_configure(form["flow_id"], {"owner": "sun", "passcode": CANARY}))
    assert shown[-1]["step_id"] == "transferred"
    shown.append(await flows.async_configure(form["flow_id"], {}))
    return shown


async def found_in_recorder(hass: HomeAssistant, words: str) -> list[str]:
    """Return the tables of the recorder in which words stand."""
    recorder = get_instance(hass)
    await recorder.async_block_till_done()

    def search() -> list[str]:
        with recorder.engine.connect() as connection:  # type: ignore[union-attr]
            tables = inspect(connection).get_table_names()
            rows = {table: str(connection.execute(text(f"SELECT * FROM {table}")).all()) for table in tables}
        return [table for table, content in rows.items() if words in content]

    return await recorder.async_add_executor_job(search)
