"""Who may publish what: logins at the broker are the hub's, and nobody speaks for another."""

import asyncio
from contextlib import suppress
from dataclasses import replace
import json
import os
from pathlib import Path
import socket
import ssl
import subprocess
from typing import Any

import aiomqtt
import pytest

from cloud import identity
from cloud.config import Config
from cloud.hub.broker.store import hub_broker_change_table
from cloud.hub.events.store import hub_event_table
from cloud.hub.messages.store import hub_message_table
from cloud.hub.readings.store import hub_reading_table
from cloud.wire import BODY_BYTES_MAX
from tests.cloud.conftest import Cloud, running
from tests.cloud.ground import NOON
from tests.cloud.hub import mosquitto
from tests.cloud.hub.at_broker import (
    NOON_MS,
    Hub,
    counted,
    device,
    forget_session,
    heard,
    reading,
    tried,
    until,
    written,
)
from tests.cloud.hub.ground import Login, registered
from tests.cloud.hub.mosquitto import HUB_PASSWORD

PROGRAMS, WHY_NOT = mosquitto.find()
pytestmark = pytest.mark.skipif(PROGRAMS is None and os.environ.get("CI") != "true", reason=WHY_NOT)


async def test_nobody_publishes_for_another_device(hub: Hub) -> None:
    """The broker refuses the topic, the hub what a message says of others; of neither anything is stored."""
    hub.start()
    passwords = await hub.add("meter-1", "meter-2")
    other = {"format": "unified", "readings": [{"device": "meter-2", "measured_ms": NOON_MS, "power_w": 1}]}
    for topic in ("hub/meter-2/readings", "hub/meter-2/readings/unified", "hub/meter-2/answers", "elsewhere"):
        async with device(hub.broker, "meter-1", passwords["meter-1"]) as meter:
            await meter.publish(topic, reading(9), qos=1)  # Mosquitto 2.0 refuses it and hangs up
    async with device(hub.broker, "meter-1", passwords["meter-1"]) as meter:
        for topic in ("hub/meter-2/answers", "hub/#", "#", "$SYS/#", "$CONTROL/#", "$share/commonwatt/hub/+/readings"):
            codes: Any = await meter.subscribe(topic)
            assert codes[0].is_failure, topic
        await meter.subscribe("hub/meter-1/answers", qos=1)
        await meter.publish("hub/meter-1/readings", json.dumps(other).encode(), qos=1)
        _, said = await heard(meter)
    assert [fault["reason"] for fault in said["faults"]] == ["another-device"]
    assert await hub.count(hub_reading_table) == 0
    assert await hub.count(hub_message_table) == 1
    assert await hub.count(hub_event_table, kind="refused", who="meter-1") == 1


async def test_a_device_does_not_govern_the_broker(hub: Hub) -> None:
    """What is for the hub alone to say is not heard from it."""
    hub.start()
    password = (await hub.add("meter-1"))["meter-1"]
    command = {"command": "createClient", "username": "mine", "password": "mine", "roles": []}
    with suppress(aiomqtt.MqttError):  # Mosquitto 2.0 hangs up on who tries
        async with device(hub.broker, "meter-1", password) as meter:
            said = json.dumps({"commands": [command]})
            await meter.publish("$CONTROL/dynamic-security/v1", said, qos=1, timeout=0.3)
    with pytest.raises(aiomqtt.MqttError, match="authori"):
        await tried(hub, "mine", "mine")
    await tried(hub, "meter-1", password)


async def test_the_wrong_password_is_refused_and_noted(hub: Hub) -> None:
    """Nobody is let in by another's password, an old one or none."""
    hub.start()
    passwords = await hub.add("meter-1", "meter-2")
    for name, password in (("meter-1", passwords["meter-2"]), ("meter-1", ""), ("meter-9", "x"), ("commonwatt", "x")):
        with pytest.raises(aiomqtt.MqttError, match="authori"):
            await tried(hub, name, password)
    await until(lambda: counted(hub, "auth-failure", 4))


async def test_a_revoked_device_is_thrown_out_while_it_is_connected(hub: Hub) -> None:
    """And so is one that got a new password, which then opens."""
    hub.start()
    passwords = await hub.add("meter-1", "meter-2")
    async with (
        device(hub.broker, "meter-1", passwords["meter-1"]) as one,
        device(hub.broker, "meter-2", passwords["meter-2"]) as two,
    ):
        await hub.revoke("meter-1")
        new = await hub.renew("meter-2")
        for client in (one, two):
            with pytest.raises(aiomqtt.MqttError):
                await heard(client)
    for name, password in passwords.items():
        with pytest.raises(aiomqtt.MqttError, match="authori"):
            await tried(hub, name, password)
    await tried(hub, "meter-2", new)
    assert await hub.count(hub_message_table) == 0


async def test_without_tls_or_with_a_stranger_for_a_broker_nothing_is_said(hub: Hub) -> None:
    """A device in plain text gets nowhere, and the hub does not show its password to a broker it cannot verify."""
    with pytest.raises(aiomqtt.MqttError):
        async with aiomqtt.Client("127.0.0.1", hub.broker.port, username="x", password="y", timeout=0.3):
            pass
    before = len(hub.broker.log())
    trusting_nobody_here = ssl.create_default_context()
    with pytest.raises(aiomqtt.MqttError, match="CERTIFICATE_VERIFY_FAILED"):
        async with aiomqtt.Client("127.0.0.1", hub.broker.port, tls_context=trusting_nobody_here):
            pass
    work = hub.start()
    work._tls = trusting_nobody_here
    await asyncio.sleep(0.3)
    assert "as commonwatt" not in hub.broker.log()[before:]


@pytest.mark.parametrize(
    ("payload", "result"),
    [
        (bytes(range(256)) * 4, "not-taken"),
        (b"", "not-taken"),
        (b'{"format": "unified", "readings": [{"power_w": "a lot"}]}', "not-taken"),
        (b" " * (BODY_BYTES_MAX + 1), "refused"),
    ],
    ids=["binary junk", "nothing", "no number", "too large"],
)
async def test_what_cannot_be_taken_is_answered_with_the_reason(hub: Hub, payload: bytes, result: str) -> None:
    """And what comes after it is taken."""
    hub.start()
    password = (await hub.add("meter-1"))["meter-1"]
    async with device(hub.broker, "meter-1", password) as meter:
        await meter.subscribe("hub/meter-1/answers", qos=1)
        await meter.publish("hub/meter-1/readings", payload, qos=1)
        _, said = await heard(meter)
        assert said["result"] == result
        assert said.get("reason") == "too-large" if result == "refused" else said["faults"][0]["why"]
        await meter.publish("hub/meter-1/readings", reading(1500), qos=1)
        _, said = await heard(meter)
    assert said["stored"] == 1
    assert await hub.count(hub_reading_table) == 1


async def test_a_last_will_tells_that_a_device_was_lost(hub: Hub) -> None:
    """It is noted that it was there and is not; what else stands on that topic is passed over."""
    hub.start()
    password = (await hub.add("meter-1"))["meter-1"]
    will = aiomqtt.Will("hub/meter-1/status", b"offline", qos=1)
    async with device(hub.broker, "meter-1", password, will=will) as meter:
        for said in (b"online", b"something else", b""):
            await meter.publish("hub/meter-1/status", said, qos=1)
        await until(lambda: counted(hub, "online", 1))
        line = meter._client.socket()
        assert isinstance(line, socket.socket)
        line.shutdown(socket.SHUT_RDWR)
        with pytest.raises(aiomqtt.MqttError):
            await heard(meter)
    await until(lambda: counted(hub, "offline", 1))
    assert await hub.count(hub_message_table) == 0


async def test_a_retained_message_is_stored_once(hub: Hub) -> None:
    """However often the hub comes and goes."""
    hub.start()
    password = (await hub.add("meter-1"))["meter-1"]
    async with device(hub.broker, "meter-1", password) as meter:
        await meter.publish("hub/meter-1/readings", reading(1500), qos=1, retain=True)
        await hub.comes(hub_reading_table, 1)
        await hub.stop()
        hub.start()
        await meter.publish("hub/meter-1/readings", reading(1500), qos=1, retain=True)
        await meter.publish("hub/meter-1/readings", reading(1600, 5), qos=1)
        await hub.comes(hub_reading_table, 2)
        await meter.publish("hub/meter-1/readings", b"", qos=1, retain=True)


async def test_a_flood_from_one_device_does_not_stop_another(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond its allowance a device's messages are not even looked at; the other one's arrives."""
    monkeypatch.setattr("cloud.hub.broker.allowance.BURST", 20)
    hub.start()
    passwords = await hub.add("flood", "meter-1")
    async with (
        device(hub.broker, "flood", passwords["flood"]) as flood,
        device(hub.broker, "meter-1", passwords["meter-1"]) as meter,
    ):
        for number in range(600):
            await flood.publish("hub/flood/readings", reading(number, number), qos=0)
        await meter.publish("hub/meter-1/readings", reading(1500), qos=1)
        await hub.comes(hub_reading_table, 1, device="meter-1")
        await until(lambda: counted(hub, "refused", 580))
    assert await hub.count(hub_reading_table, device="flood") == 20


async def test_both_sides_agree_again_after_either_was_restored(hub: Hub) -> None:
    """Clients that are no devices of ours are removed, missing devices are told of; other clients stay as they are."""
    hub.start()
    await hub.add("meter-1", "meter-2", "meter-3")
    await hub.stop()
    hub.broker.stop()
    kept = json.loads((hub.broker.folder / "dynamic-security.json").read_text())
    kept["clients"] = [client for client in kept["clients"] if client["username"] != "meter-3"]
    (hub.broker.folder / "dynamic-security.json").write_text(json.dumps(kept))
    hub.broker.start()
    await hub.revoke("meter-2")
    await hub.database.write(lambda conn: conn.exec_driver_sql("DELETE FROM hub_broker_change"))  # an older backup
    hub.start()
    await hub.comes(hub_event_table, 1, kind="not-at-broker", device="meter-3")
    await until(lambda: written(hub, {"meter-1", "other"}))

    async def gone() -> bool:
        return "meter-2" not in hub.broker.users()

    await until(gone)


async def test_a_device_named_like_another_client_of_the_broker_does_not_become_it(hub: Hub) -> None:
    """Nor does revoking the device remove that client."""
    hub.start()
    password = (await hub.add("other"))["other"]
    with pytest.raises(aiomqtt.MqttError, match="authori"):
        await tried(hub, "other", password)
    await hub.comes(hub_event_table, 1, kind="not-at-broker", device="other")
    await hub.revoke("other")
    await hub.handed_over()
    await tried(hub, "other", "somebody else's")


async def test_one_of_two_processes_tells_the_broker_and_both_take(hub: Hub) -> None:
    """Each message goes to one of them."""
    second = Hub(hub.database, hub.broker, hub.key, client="second")
    try:
        hub.start()
        password = (await hub.add("meter-1"))["meter-1"]
        second.start()
        async with device(hub.broker, "meter-1", password) as meter:
            for minutes in range(20):
                await meter.publish("hub/meter-1/readings", reading(1500, minutes), qos=1)
        await hub.comes(hub_reading_table, 20)
        assert await hub.count(hub_message_table) == 20
        await hub.stop()  # the other one takes over what is to be told
        await second.add("meter-2")
    finally:
        await second.stop()
        await forget_session(second)


async def test_registering_by_https_opens_the_broker_and_revoking_closes_it(
    hub: Hub, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole way: an operator lists a device, it registers, publishes, gets another password, is revoked."""
    port, ca_file = hub.broker.port, hub.broker.ca_file
    url = f"mqtts://localhost:{port}"
    settings = replace(config, mqtt_url=url, mqtt_password=HUB_PASSWORD, mqtt_ca_file=ca_file)
    async with running(settings) as cloud:
        await cloud.found()
        login = await registered(cloud, "meter-1")
        await until(lambda: _gone(cloud))
        async with device(hub.broker, "meter-1", login.password) as meter:
            await meter.publish("hub/meter-1/readings", reading(1500), qos=1)
            await until(lambda: _read(cloud, 1))
        reply = await cloud.call("POST", "/v1/hub/password", headers=login.headers)
        new = reply.json["password"]
        await until(lambda: _gone(cloud))
        async with device(hub.broker, "meter-1", new) as meter:
            await meter.publish("hub/meter-1/readings", reading(1500, 1), qos=1)
            await until(lambda: _read(cloud, 2))
        cloud.clock.forward(5)  # for so long a login is at hand
        await until(lambda: _closed(cloud, login))  # by HTTPS too, since the new password was used
        reply = await cloud.operator("POST", "riverside/devices/meter-1/revoke")
        assert reply.status < 300, reply.json
        await until(lambda: _gone(cloud))
        with pytest.raises(aiomqtt.MqttError, match="authori"):
            await tried(hub, "meter-1", new)
    await forget_session(Hub(hub.database, hub.broker, identity.load(config.key_file)))


async def _gone(cloud: Cloud) -> bool:
    return await cloud.count(hub_broker_change_table) == 0


async def _read(cloud: Cloud, count: int) -> bool:
    return await cloud.count(hub_reading_table) == count


async def _closed(cloud: Cloud, login: Login) -> bool:
    return (await cloud.call("GET", "/v1/hub/device", headers=login.headers)).status == 401


async def test_the_example_with_mosquitto_pub_works(hub: Hub) -> None:
    """As it stands in the page for makers."""
    program = hub.broker.program.parent / "mosquitto_pub"
    if not program.exists():
        pytest.skip("the machine has no mosquitto_pub")
    hub.start()
    password = (await hub.add("meter-1"))["meter-1"]
    command: list[str | Path] = [
        program,
        "-h",
        "localhost",
        "-p",
        str(hub.broker.port),
        "--cafile",
        hub.broker.ca_file,
        "-V",
        "mqttv5",
    ]
    command += ["-u", "meter-1", "-P", password, "-q", "1", "-t", "hub/meter-1/readings", "-m", reading(1500).decode()]
    command += ["-D", "publish", "user-property", "sent", str(NOON_MS)]
    done = await asyncio.to_thread(_run, command, hub.broker.environment)
    assert done.returncode == 0, done.stderr
    await hub.comes(hub_reading_table, 1)


def _run(command: list[str | Path], environment: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, env=environment, capture_output=True, check=False)


async def test_no_device_takes_over_what_the_broker_keeps_for_the_hub(hub: Hub) -> None:
    """Who shows the hub's name in the settings as its client id gets a session of its own, and nothing is lost."""
    hub.start()
    passwords = await hub.add("meter-1", "meter-2")
    await hub.stop()
    async with device(hub.broker, "meter-2", passwords["meter-2"]) as meter:
        await meter.publish("hub/meter-2/readings", reading(1500), qos=1)
    async with device(hub.broker, "meter-1", passwords["meter-1"], identifier=hub.client):
        pass
    hub.start()
    await hub.comes(hub_reading_table, 1, device="meter-2")


async def test_no_client_id_makes_another_device_come_in(hub: Hub) -> None:
    """A line of the broker's log that was cut off may end in what a client has chosen; it is not believed."""
    hub.start()
    passwords = await hub.add("meter-1", "meter-2")
    begin, forged = f"{NOON}: New client connected from 127.0.0.1:55555 as ", " (p5, c1, k60, u'meter-2')."
    identifier = "x" * (999 - len(begin) - len(forged)) + forged
    async with device(hub.broker, "meter-1", passwords["meter-1"], identifier=identifier + "x" * 200):
        await asyncio.sleep(0.2)
    async with device(hub.broker, "meter-1", passwords["meter-1"]):
        await hub.comes(hub_event_table, 1, kind="auth-success", who="meter-1")
    assert not await hub.count(hub_event_table, kind="auth-success", who="meter-2")
