"""What devices publish is taken: none lost, none twice, whoever of hub, broker or database was away."""

import asyncio
import json
import os
import signal
import socket
from typing import Any

import aiomqtt
from aiomqtt import ProtocolVersion
import pytest

from cloud import identity
from cloud.config import Config
from cloud.database import Database
from cloud.errors import Unavailable
from cloud.hub.broker.arrivals import job as arrivals_job
from cloud.hub.broker.arrivals.job import Arrivals
from cloud.hub.broker.client import Connection, Published
from cloud.hub.broker.topic import Inward
from cloud.hub.events.store import hub_event_table
from cloud.hub.messages.job import Intake
from cloud.hub.messages.message import Taken
from cloud.hub.messages.store import hub_message_table
from cloud.hub.readings.store import hub_reading_table
from tests.cloud.hub import mosquitto
from tests.cloud.hub.at_broker import (
    NOON_MS,
    PATIENCE_S,
    Hub,
    counted,
    device,
    forget_session,
    founded,
    heard,
    properties,
    reading,
    tried,
    until,
    written,
)
from tests.cloud.hub.mosquitto import HUB_PASSWORD, Broker
from tests.cloud.test_process_killed import serving

PROGRAMS, WHY_NOT = mosquitto.find()
pytestmark = pytest.mark.skipif(PROGRAMS is None and os.environ.get("CI") != "true", reason=WHY_NOT)
MANY = 200


async def test_what_a_device_publishes_is_stored_under_its_measurement_time(hub: Hub) -> None:
    """By MQTT 5 and by 3.1.1; who sent it is the device in the topic, and it hears what became of it."""
    hub.start()
    password = (await hub.add("meter-1"))["meter-1"]
    for minutes, version in ((10, ProtocolVersion.V5), (20, ProtocolVersion.V311)):
        async with device(hub.broker, "meter-1", password, version=version) as meter:
            await meter.subscribe("hub/meter-1/answers", qos=1)
            await meter.publish("hub/meter-1/readings", reading(1500, minutes), qos=1)
            where, said = await heard(meter)
        assert (where, said["result"], said["stored"], said["faults"]) == ("answers", "taken", 1, [])
    rows = await hub.rows(hub_reading_table)
    assert sorted((row.device, row.measured_ms, row.value) for row in rows) == [
        ("meter-1", NOON_MS - 1_200_000, 1_500_000),
        ("meter-1", NOON_MS - 600_000, 1_500_000),
    ]
    assert {row.way for row in await hub.rows(hub_message_table)} == {"mqtt"}
    for kind in ("receipt", "save"):
        assert await hub.count(hub_event_table, kind=kind, who="meter-1") == 2
    await until(lambda: counted(hub, "send", 2))
    await until(lambda: counted(hub, "auth-success", 2))


async def test_the_answer_carries_the_mark_of_the_message_and_the_clock_its_order(hub: Hub) -> None:
    """A device finds what an answer is to, and is told to set its clock."""
    hub.start()
    password = (await hub.add("meter-1"))["meter-1"]
    async with device(hub.broker, "meter-1", password) as meter:
        await meter.subscribe([("hub/meter-1/answers", 1), ("hub/meter-1/clock", 1)])
        sent = properties(b"mark", sent=str(NOON_MS + 60_000))
        await meter.publish("hub/meter-1/readings/unified", reading(1500), qos=1, properties=sent)
        async with asyncio.timeout(20):
            first, second = [await anext(aiter(meter.messages)) for _ in range(2)]
    assert {first.properties.CorrelationData, second.properties.CorrelationData} == {b"mark"}  # type: ignore[union-attr]
    said = json.loads(first.payload)
    told = json.loads(second.payload)
    assert (first.topic.value, said["clock"]["offset_ms"]) == ("hub/meter-1/answers", 60_000)
    assert second.topic.value == "hub/meter-1/clock"
    assert (told["order"], told["by_ms"], told["at_ms"]) == ("set-back", 60_000, NOON_MS)
    assert (await hub.rows(hub_message_table))[0].sent_ms == NOON_MS + 60_000


class Stuck(Intake):
    """An intake that never comes back: before it has kept a message, or after."""

    def __init__(self, hub: Hub, *, keeps: bool) -> None:
        super().__init__(hub.database)
        self.keeps = keeps
        self.reached = asyncio.Event()

    async def take(self, *args: Any, **kwargs: Any) -> Taken:
        """Keep a message, or not, and say nothing."""
        if self.keeps:
            await super().take(*args, **kwargs)
        self.reached.set()
        await asyncio.Event().wait()
        raise AssertionError


@pytest.mark.parametrize("keeps", [False, True], ids=["before the commit", "after the commit"])
async def test_what_was_not_acknowledged_comes_again_and_is_stored_once(hub: Hub, keeps: bool) -> None:
    """The hub is killed while it takes a message: the next one gets it from the broker."""
    stuck = Stuck(hub, keeps=keeps)
    hub.start(stuck)
    password = (await hub.add("meter-1"))["meter-1"]
    async with device(hub.broker, "meter-1", password) as meter:
        await meter.publish("hub/meter-1/readings", reading(1500), qos=1)
        await asyncio.wait_for(stuck.reached.wait(), PATIENCE_S)
        await hub.stop()
        assert await hub.count(hub_reading_table) == int(keeps)
        await meter.subscribe("hub/meter-1/answers", qos=1)
        hub.start()
        _, said = await heard(meter)
    assert (said["stored"], said["existed"]) == ((0, 1) if keeps else (1, 0))
    assert await hub.count(hub_reading_table) == 1
    assert await hub.count(hub_message_table) == 1


async def test_a_killed_process_loses_nothing_and_doubles_nothing(broker: Broker, config: Config) -> None:
    """The real program is killed amid a stream of messages, and started again."""
    folder = config.key_file.parent
    hub = Hub(Database(config.database_url), broker, identity.load(config.key_file))
    settings = {"MQTT_URL": f"mqtts://localhost:{broker.port}", "MQTT_PASSWORD": HUB_PASSWORD}
    settings["MQTT_CA_FILE"] = str(broker.ca_file)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    try:
        await founded(hub.database)
        with serving(folder, port, **settings) as process:
            password = (await hub.add("meter-1"))["meter-1"]
            async with device(broker, "meter-1", password) as meter:
                for minutes in range(MANY):
                    await meter.publish("hub/meter-1/readings", reading(1500, minutes), qos=1)
                    if minutes == MANY // 2:
                        process.kill()
        with serving(folder, port, **settings):
            await hub.comes(hub_message_table, MANY)
        assert await hub.count(hub_reading_table) == MANY
        assert sum(row.existed for row in await hub.rows(hub_message_table)) == 0
    finally:
        hub.database.dispose()
        await forget_session(hub)


async def test_acknowledging_before_the_commit_would_lose_messages(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: with the acknowledgement first, the same killing does lose the message."""
    taken = Arrivals._take

    async def hasty(self: Arrivals, connection: Connection, item: Published, named: Inward) -> None:
        connection.acknowledge(item)
        await taken(self, connection, item, named)

    monkeypatch.setattr(Arrivals, "_take", hasty)
    stuck = Stuck(hub, keeps=False)
    hub.start(stuck)
    password = (await hub.add("meter-1"))["meter-1"]
    async with device(hub.broker, "meter-1", password) as meter:
        await meter.publish("hub/meter-1/readings", reading(1500, 1), qos=1)
        await asyncio.wait_for(stuck.reached.wait(), PATIENCE_S)
        await hub.stop()
        hub.start()
        await meter.publish("hub/meter-1/readings", reading(1600, 2), qos=1)
        await hub.comes(hub_reading_table, 1)
    assert [row.value for row in await hub.rows(hub_reading_table)] == [1_600_000]


class Away(Intake):
    """An intake whose database is away for a while."""

    tries = 0

    async def take(self, *args: Any, **kwargs: Any) -> Taken:
        """Fail as an intake does then, and work again."""
        self.tries += 1
        if self.tries <= 10:
            raise Unavailable("the database failed: OperationalError")
        return await super().take(*args, **kwargs)


async def test_while_the_database_is_away_messages_wait(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is acknowledged, nothing lost; it is logged once."""
    hub.start(Away(hub.database))
    password = (await hub.add("meter-1"))["meter-1"]
    async with device(hub.broker, "meter-1", password) as meter:
        for minutes in range(5):
            await meter.publish("hub/meter-1/readings", reading(1500, minutes), qos=1)
        await hub.comes(hub_reading_table, 5)
    assert [record.message for record in caplog.records].count("messages wait for the database") == 1


class Mistaken(Intake):
    """An intake with a mistake that one message brings out."""

    async def take(self, *args: Any, **kwargs: Any) -> Taken:
        """Fail over that message for ever."""
        if b"1313" in args[2]:
            raise ZeroDivisionError
        return await super().take(*args, **kwargs)


async def test_a_message_that_brings_out_a_mistake_of_ours_stops_no_other(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    """It is tried a few times, then its sender is told; it does not come again for ever."""
    hub.start(Mistaken(hub.database))
    password = (await hub.add("meter-1"))["meter-1"]
    async with device(hub.broker, "meter-1", password) as meter:
        await meter.subscribe("hub/meter-1/answers", qos=1)
        await meter.publish("hub/meter-1/readings", reading(1313), qos=1)
        await meter.publish("hub/meter-1/readings", reading(1500, 1), qos=1)
        said = [(await heard(meter))[1] for _ in range(2)]
    assert {one["result"]: one.get("reason") for one in said} == {"taken": None, "refused": "internal"}
    assert await hub.count(hub_reading_table) == 1
    logged = [record for record in caplog.records if record.message == "a message could not be taken"]
    assert len(logged) == len(arrivals_job.RETRY_SECONDS[: arrivals_job.MISTAKES_MAX])


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
async def test_the_hub_comes_back_to_a_broker_that_was_away(
    hub: Hub, how: signal.Signals, caplog: pytest.LogCaptureFixture
) -> None:
    """Silence is logged once and the return once; devices log in as before, and meanwhile revoked ones do not."""
    caplog.set_level("INFO", "cloud.hub")
    hub.start()
    passwords = await hub.add("meter-1", "meter-2")
    await until(lambda: written(hub, {"meter-1", "meter-2"}))
    hub.broker.stop(how)
    try:
        await until(lambda: _logged(caplog, "the MQTT broker is away"))
        await hub.revoke("meter-2")
    finally:
        hub.broker.start()
    await hub.handed_over()
    async with device(hub.broker, "meter-1", passwords["meter-1"]) as meter:
        await meter.publish("hub/meter-1/readings", reading(1500), qos=1)
        await hub.comes(hub_reading_table, 1)
    with pytest.raises(aiomqtt.MqttError, match="authori"):
        await tried(hub, "meter-2", passwords["meter-2"])
    said = [record.message for record in caplog.records]
    assert (said.count("the MQTT broker is away"), said.count("the MQTT broker is back")) == (1, 1)


async def _logged(caplog: pytest.LogCaptureFixture, message: str) -> bool:
    return message in [record.message for record in caplog.records]


async def test_what_is_published_while_the_hub_is_away_arrives_later(hub: Hub) -> None:
    """The broker keeps it, also when it is restarted meanwhile, in the session it keeps for the hub."""
    hub.start()
    password = (await hub.add("meter-1"))["meter-1"]
    await hub.stop()
    async with device(hub.broker, "meter-1", password) as meter:
        for minutes in range(3):
            await meter.publish("hub/meter-1/readings", reading(1500, minutes), qos=1)
    hub.broker.stop()
    hub.broker.start()
    hub.start()
    await hub.comes(hub_reading_table, 3)


async def test_a_message_that_waited_does_not_make_its_devices_clock_late(hub: Hub) -> None:
    """The hub was away for an hour: what it finds then says nothing of anybody's clock, and nobody is told to set it.

    A clock that is ahead all the same is, by at least so much.
    """
    hub.start()
    password = (await hub.add("meter-1"))["meter-1"]
    await hub.stop()
    async with device(hub.broker, "meter-1", password) as meter:
        await meter.subscribe("hub/meter-1/answers", qos=1)
        for minutes in (60, 59, 58, -5):
            sent = properties(sent=str(NOON_MS - minutes * 60_000))
            await meter.publish("hub/meter-1/readings", reading(1500, minutes + 10), qos=1, properties=sent)
        hub.start()
        said = [await heard(meter) for _ in range(4)]
    offsets = [each["clock"] and each["clock"]["offset_ms"] for _, each in said]
    assert sorted(offsets, key=bool) == [None, None, None, 300_000]
