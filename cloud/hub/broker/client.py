"""Speaks MQTT 5 with the broker: what arrives is acknowledged only when we say so, and bounded until then."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
import json
import re
import secrets
import ssl
from typing import Any

from aiomqtt import Client, Message, MqttError, ProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from cloud.errors import CommonwattError, ConfigError
from cloud.wire import to_bytes

from .address import Address
from .control import CONTROL, RESPONSES, Command, ControlError
from .log_line import LOG
from .topic import INWARD

IN_FLIGHT_MAX = 512  # messages given to us and not acknowledged: four full groups of the database
UNCONFIRMED_MAX = 1000  # messages of QoS 0 that wait here; the broker bounds those of QoS 1, nobody bounds these
SESSION_SECONDS = 30 * 86_400  # how long the broker keeps messages for a hub that is away
KEEPALIVE_SECONDS = 30  # a dead line is noticed after one and a half of these
TIMEOUT_SECONDS = 30.0  # for the broker's word, which may lie behind all that it has for us
OUTGOING_MAX = 1000  # answers under way
SENT = "sent"  # the user property that holds the sender's clock
SENT_TEXT = re.compile(r"[0-9]{1,15}")


class BrokerAway(CommonwattError):  # noqa: N818 - the world fails, as with Unavailable
    """The broker cannot be reached, refuses us or went away; the message says which."""


@dataclass(frozen=True, slots=True)
class Published:
    """Something that stands on a topic, and what its sender said with it.

    `sent_ms` is what its clock showed, `correlation` a mark of its own that goes back with the answer. `number` is the
    broker's, for the acknowledgement. `retained`: it was said before, whenever that was.
    """

    topic: str
    payload: bytes
    qos: int
    number: int
    sent_ms: int | None = None
    correlation: bytes | None = None
    retained: bool = False


class Inbox(asyncio.Queue[Message]):
    """What arrived and was not looked at. Beyond a bound, what its sender wants no confirmation of is let go."""

    def put_nowait(self, item: Message) -> None:
        """Keep a message."""
        if item.qos == 0 and self.qsize() >= UNCONFIRMED_MAX and not item.topic.value.startswith("$"):
            return
        super().put_nowait(item)


class Connection:
    """One connection to the broker, from its greeting to its end."""

    def __init__(self, client: Client) -> None:
        """Speak over a client that is connected."""
        self._client = client
        self._name = secrets.token_hex(8)  # other processes hear the answers too
        self._asked = 0
        self._answers: dict[str, asyncio.Future[list[dict[str, Any]]]] = {}

    async def subscribe(self) -> None:
        """Ask for what devices send, for answers to what the broker is told, and for the broker's log."""
        for topic, qos in [*((topic, 1) for topic in INWARD), (RESPONSES, 0), (LOG, 0)]:
            with _reachable():
                codes = await self._client.subscribe(topic, qos=qos)
            if topic != LOG and any(getattr(code, "value", 0) >= 128 for code in codes):
                raise BrokerAway(f"the broker does not let the hub subscribe to {topic}")

    async def published(self) -> AsyncIterator[Published]:
        """Yield what arrives, but for answers to `ask`; raises BrokerAway when the connection ends."""
        with _reachable():
            async for message in self._client.messages:
                if message.topic.value == RESPONSES:
                    self._answered(message)
                else:
                    yield _read(message)

    def acknowledge(self, item: Published) -> None:
        """Tell the broker that something is safe here and need not be delivered again."""
        if item.qos:
            self._client._client.ack(item.number, item.qos)  # noqa: SLF001 - aiomqtt has no word of its own for it

    async def say(self, topic: str, payload: bytes, qos: int, correlation: bytes | None = None) -> None:
        """Publish something; raises BrokerAway where that fails."""
        properties = None  # making them costs more than the rest
        if correlation is not None:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.CorrelationData = correlation
        with _reachable():
            await self._client.publish(topic, payload, qos=qos, properties=properties)

    async def ask(self, commands: Sequence[Command]) -> list[dict[str, Any]]:
        """Give the broker commands and return its answer to each.

        Raises BrokerAway where the connection fails, and ControlError where none of the answers is ours.
        """
        if not commands:
            return []
        self._asked += 1
        mark = f"{self._name}-{self._asked}"
        answered: asyncio.Future[list[dict[str, Any]]] = asyncio.get_running_loop().create_future()
        self._answers[mark] = answered
        try:
            marked = [command | {"correlationData": mark} for command in commands]
            await self.say(CONTROL, to_bytes({"commands": marked}), 1)
            responses = await asyncio.wait_for(answered, TIMEOUT_SECONDS)
        except TimeoutError:
            raise ControlError("the broker does not answer: is its dynamic security plugin loaded?") from None
        finally:
            del self._answers[mark]
        if len(responses) != len(commands):
            raise ControlError(f"{len(commands)} commands got {len(responses)} answers")
        return responses

    def _answered(self, message: Message) -> None:
        try:
            responses = json.loads(message.payload)["responses"]
            mark = responses[0].get("correlationData")
        except ValueError, LookupError, TypeError, AttributeError:
            return
        if (waiting := self._answers.get(mark)) is not None and not waiting.done():
            waiting.set_result(responses)


def _read(message: Message) -> Published:
    """Return a message as a value; a sender's clock that is no whole number of milliseconds is not heard."""
    payload = message.payload if isinstance(message.payload, bytes) else b""
    given = {} if message.properties is None else message.properties.__dict__
    named = dict(given.get("UserProperty", ()))
    sent, correlation = named.get(SENT, ""), given.get("CorrelationData")
    return Published(
        message.topic.value,
        payload,
        message.qos,
        message.mid,
        int(sent) if SENT_TEXT.fullmatch(sent) else None,
        correlation if isinstance(correlation, bytes) else None,
        message.retain,
    )


@asynccontextmanager
async def connected(address: Address, tls: ssl.SSLContext | None) -> AsyncIterator[Connection]:
    """Log in at the broker and take up the session it kept for us; raises BrokerAway where that fails."""
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.ReceiveMaximum = IN_FLIGHT_MAX
    properties.SessionExpiryInterval = SESSION_SECONDS
    client = Client(
        address.host,
        address.port,
        username=address.user,
        password=address.password,
        identifier=address.client,
        protocol=ProtocolVersion.V5,
        clean_start=False,
        properties=properties,
        keepalive=KEEPALIVE_SECONDS,
        timeout=TIMEOUT_SECONDS,
        tls_context=tls,
        queue_type=Inbox,
        max_queued_outgoing_messages=OUTGOING_MAX,
        max_inflight_messages=IN_FLIGHT_MAX,
    )
    client.pending_calls_threshold = OUTGOING_MAX
    client._client.manual_ack_set(on=True)  # noqa: SLF001 - aiomqtt would acknowledge before anything is stored
    with _reachable():
        await client.__aenter__()
    try:
        yield Connection(client)
    finally:
        with suppress(MqttError, OSError):
            await client.__aexit__(None, None, None)
        ended = client._disconnected  # noqa: SLF001 - a reason nobody asked for would be logged as an error
        if ended.done() and not ended.cancelled():
            ended.exception()


def tls_context(address: Address) -> ssl.SSLContext | None:
    """Return how the broker's certificate is checked; None where TLS is not spoken. Raises ConfigError."""
    if not address.tls:
        return None
    try:
        return ssl.create_default_context(cafile=address.ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(f"COMMONWATT_MQTT_CA_FILE {address.ca_file} cannot be used: {error}") from None


@contextmanager
def _reachable() -> Iterator[None]:
    """Turn what the library says of a broken connection into BrokerAway."""
    try:
        yield
    except (MqttError, OSError) as error:
        causes = [str(each) for each in (error, error.__cause__) if each is not None and str(each)]
        raise BrokerAway(": ".join(causes) or type(error).__name__) from error
