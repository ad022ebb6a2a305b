"""The rules of the hub at the broker: topics, commands, the broker's log, allowances, answers, seals, settings."""

from dataclasses import replace
import json
from pathlib import Path
from typing import Any

from aiomqtt import Message
from hypothesis import given, strategies as st
import pytest

from cloud.config import Config, from_environment
from cloud.errors import ConfigError
from cloud.hub.broker import allowance, control
from cloud.hub.broker.address import Address, address_of
from cloud.hub.broker.answer import clock_answer, refused_answer, taken_answer
from cloud.hub.broker.arrivals.log import KINDS_MAX, Log
from cloud.hub.broker.client import UNCONFIRMED_MAX, Inbox, tls_context
from cloud.hub.broker.control import ControlError, check, found_of, kept_out, let_in, ours_of, role_of
from cloud.hub.broker.log_line import LOG, Line, told_by
from cloud.hub.broker.seal import SealError, opened, seal
from cloud.hub.broker.topic import INWARD, Inward, answers_of, clock_of, inward
from cloud.hub.clocks.clock import Notice
from cloud.hub.events.event import Event
from cloud.hub.messages.message import Fault, Taken

from . import mosquitto

ROOT = Path(__file__).parents[3]
KEY = bytes(range(32))
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", fullmatch=True)
SECRET = "0123456789abcdef"


@given(NAMES, st.none() | NAMES)
def test_the_topic_says_whose_a_message_is_and_in_what_format(device: str, code: str | None) -> None:
    """And nothing else does."""
    topic = f"hub/{device}/readings" + (f"/{code}" if code else "")
    assert inward(topic) == Inward(device, code)
    assert inward(f"hub/{device}/status") == Inward(device, status=True)


@pytest.mark.parametrize(
    "topic",
    [
        *("", "hub", "hub/a", "hub/a/answers", "hub/a/clock", "hub//readings", "hub/a/readings/", "hub/a/readings/x/y"),
        *(
            "other/a/readings",
            "/hub/a/readings",
            "hub/a b/readings",
            "hub/ä/readings",
            "hub/+/readings",
            "hub/a/Readings",
        ),
        f"hub/{'a' * 65}/readings",
    ],
)
def test_other_topics_are_nobodys(topic: str) -> None:
    """They are passed over, whoever may have published there."""
    assert inward(topic) is None


def test_answers_never_come_back_as_messages() -> None:
    """Else the hub would answer itself."""
    assert inward(answers_of("meter-1")) is None
    assert inward(clock_of("meter-1")) is None


@given(st.text())
def test_what_was_sealed_opens_with_its_key_alone(text: str) -> None:
    """Twice the same is not told by its looks."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    sealed = seal(KEY, text)
    assert opened(KEY, sealed) == text
    assert sealed != seal(KEY, text)
    with pytest.raises(SealError):
        opened(bytes(32), sealed)


@given(st.binary(max_size=80))
def test_other_bytes_do_not_open(raw: bytes) -> None:
    """Whatever they are, they are refused by name."""
    with pytest.raises(SealError):
        opened(KEY, raw)


def test_an_altered_seal_does_not_open() -> None:
    """Each single byte counts."""
    sealed = seal(KEY, "password")
    for place in range(len(sealed)):
        with pytest.raises(SealError):
            opened(KEY, sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :])


def test_a_new_device_gets_a_role_that_opens_its_own_topics_only() -> None:
    """No pattern with a wildcard reaches another device."""
    swept, role, client = let_in("meter-1", "secret", "none")
    assert (swept["command"], role["command"], client["command"]) == ("deleteRole", "createRole", "createClient")
    assert client["roles"] == [{"rolename": role_of("meter-1")}]
    assert {(acl["acltype"], acl["topic"]) for acl in role["acls"]} == {
        ("publishClientSend", "hub/meter-1/readings"),
        ("publishClientSend", "hub/meter-1/readings/+"),
        ("publishClientSend", "hub/meter-1/status"),
        ("publishClientReceive", "hub/meter-1/answers"),
        ("publishClientReceive", "hub/meter-1/clock"),
        ("subscribeLiteral", "hub/meter-1/answers"),
        ("subscribeLiteral", "hub/meter-1/clock"),
    }


def test_a_device_that_is_there_gets_the_new_password_and_the_rights_of_today() -> None:
    """The broker throws out whoever came with the old one."""
    role, client = let_in("meter-1", "new", "ours")
    assert (role["command"], client["command"]) == ("modifyRole", "modifyClient")
    assert client["password"] == "new"


def test_only_a_client_with_its_devices_role_is_ours() -> None:
    """The operator's own clients, and the hub itself, are somebody else's whatever they are called."""

    def response(*roles: str) -> dict[str, Any]:
        listed = [{"rolename": role} for role in roles]
        return {"command": "getClient", "data": {"client": {"username": "meter-1", "roles": listed, "groups": []}}}

    assert found_of(response(role_of("meter-1")), "meter-1") == "ours"
    assert found_of(response("admin"), "meter-1") == "foreign"
    assert found_of(response(role_of("meter-2")), "meter-1") == "foreign"
    assert found_of(response(), "meter-1") == "foreign"
    assert found_of({"command": "getClient", "error": "Client not found"}, "meter-1") == "none"
    with pytest.raises(ControlError, match="no idea"):
        found_of({"command": "getClient", "error": "no idea"}, "meter-1")
    with pytest.raises(ControlError, match="without"):
        found_of({"command": "getClient", "data": {}}, "meter-1")


def test_a_page_of_clients_names_ours_and_how_many_there_are_on_all() -> None:
    """Others are passed over, and an answer without what it must have is an error."""
    clients = [{"username": "a", "roles": [{"rolename": role_of("a")}]}, {"username": "admin", "roles": []}]
    assert ours_of({"command": "listClients", "data": {"totalCount": 7, "clients": clients}}) == (["a"], 7)
    for data in ({}, {"totalCount": 1}, {"clients": ["a"], "totalCount": 1}):
        with pytest.raises(ControlError):
            ours_of({"command": "listClients", "data": data})


def test_what_should_be_gone_and_was_not_there_is_done() -> None:
    """Any other refusal is one."""
    commands = kept_out("meter-1")
    check(commands, [{"error": "Client not found"}, {"error": "Role not found"}])
    with pytest.raises(ControlError):
        check(commands, [{"error": "Role not found"}, {}])
    with pytest.raises(ControlError, match="exists"):
        check(let_in("a", "b", "none"), [{}, {}, {"command": "createClient", "error": "Client already exists"}])


def test_no_error_repeats_a_password() -> None:
    """Neither of the broker's nor of ours."""
    commands = let_in("a", SECRET, "none")
    with pytest.raises(ControlError) as raised:
        check(commands, [{}, {}, {"command": "createClient", "error": "Internal error"}])
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        (
            b"1795296496: New client connected from 127.0.0.1:50567 as x (p5, c1, k60, u'm').",
            Line("let-in", "m", "127.0.0.1"),
        ),
        (b"1: New client connected from ::1:5 as a (p2, c0, k60, u'm-1').", Line("let-in", "m-1", "::1")),
        (b"1795296497: Client <unknown> disconnected, not authorised.", Line("kept-out")),
        (b"1: Outgoing messages are being dropped for client commonwatt.", Line("dropped", "commonwatt")),
        (b"1: New connection from 127.0.0.1:50567 on port 8883.", None),
        (b"1: Client x disconnected.", None),
        (b"1: New client connected from 127.0.0.1:5 as x (p5, c1, k60, u'a b').", None),
        (b"\xff\xfe", None),
        (b"", None),
    ],
)
def test_the_brokers_log_tells_who_came_in(raw: bytes, line: Line | None) -> None:
    """And that somebody did not, and that messages were dropped."""
    assert told_by(raw) == line


@given(st.text(max_size=100))
def test_a_client_cannot_write_another_name_into_the_brokers_log(client_id: str) -> None:
    """Its id is its own choice; only what the broker writes behind it is believed."""
    forged = f"{client_id} (p5, c1, k60, u'victim')."
    raw = f"1: New client connected from 10.0.0.1:5 as {forged} (p5, c1, k60, u'meter-1').".encode(errors="replace")
    assert told_by(raw) == Line("let-in", "meter-1", "10.0.0.1")


@given(st.lists(st.integers(0, 10_000), max_size=200))
def test_no_more_is_let_through_than_the_store_and_what_refills_it(waits_ms: list[int]) -> None:
    """However it is spread; and whoever keeps to the rate is never refused."""
    stands, at_ms, through = None, 0, 0
    for wait_ms in waits_ms:
        at_ms += wait_ms
        stands, within = allowance.spent(stands, at_ms)
        through += within
        assert within or wait_ms * allowance.PER_SECOND < 1000
    assert through <= allowance.BURST + at_ms * allowance.PER_SECOND // 1000


def test_a_burst_goes_through_and_then_the_rate_holds() -> None:
    """A month's backlog fits; a clock that is set back gives nothing."""
    stands, through = None, 0
    for _ in range(allowance.BURST + 500):
        stands, within = allowance.spent(stands, 1_000_000)
        through += within
    assert through == allowance.BURST
    assert stands is not None
    stands, within = allowance.spent(stands, 0)
    assert not within
    stands, within = allowance.spent(stands, 1000)
    assert within
    assert not allowance.is_full(stands, 1000)
    assert allowance.is_full(stands, 1000 + allowance.BURST * 1000 // allowance.PER_SECOND)


TAKEN = Taken("m", 2, 1, 0, (Fault(3, "no-unit", "power", "the unit is not known"),), 5)


def test_an_answer_says_what_became_of_a_message() -> None:
    """In the words of the answer to a push."""
    assert json.loads(taken_answer(TAKEN)) == {
        "result": "taken",
        "message": "m",
        "stored": 2,
        "existed": 1,
        "revised": 0,
        "fault_count": 1,
        "faults": [{"row": 3, "reason": "no-unit", "where": "power", "why": "the unit is not known"}],
        "clock": None,
    }
    assert json.loads(taken_answer(replace(TAKEN, stored=0, existed=0)))["result"] == "not-taken"
    assert json.loads(taken_answer(Taken("m", 0, 0, 0, ())))["result"] == "taken"
    assert json.loads(refused_answer("too-large"))["reason"] == "too-large"


def test_an_answer_stays_small() -> None:
    """A message with a fault in each of its rows is answered with the first ones and their number."""
    many = replace(TAKEN, faults=TAKEN.faults * 50_000)
    said = json.loads(taken_answer(many))
    assert (said["fault_count"], len(said["faults"])) == (50_000, 20)


def test_a_clock_that_is_right_is_told_nothing() -> None:
    """One that is off is told what to do, and our time."""
    assert clock_answer(Notice(5, "right"), 7) is None
    said = clock_answer(Notice(3000, "off", "set-back", 3000), 7)
    assert said is not None
    assert json.loads(said)["by_ms"] == 3000
    assert json.loads(said)["at_ms"] == 7


def event(who: str, kind: Any = "send", community: str = "lane") -> Event:
    """Return an event of a device."""
    return Event(community, 1, kind, who, who, detail={"way": "mqtt"})


def test_equal_events_are_one_with_a_count() -> None:
    """Others stay apart, each with its community."""
    log = Log()
    for one in (event("a"), event("b"), event("a"), event("a", "refused"), event("a", community="other")):
        log.add(one)
    found = log.taken()
    assert [(one.who, one.kind, one.count) for one in found["lane"]] == [
        ("a", "send", 2),
        ("b", "send", 1),
        ("a", "refused", 1),
    ]
    assert [one.count for one in found["other"]] == [1]
    assert log.taken() == {}
    log.back(found["lane"])
    assert sum(one.count for one in log.taken()["lane"]) == 4


def test_events_that_wait_are_bounded() -> None:
    """Whoever makes up names fills no memory."""
    log = Log()
    for number in range(KINDS_MAX + 10):
        log.add(event(str(number)))
    log.add(event("1"))
    found = log.taken()["lane"]
    assert (len(found), sum(one.count for one in found)) == (KINDS_MAX, KINDS_MAX + 1)


def test_the_broker_is_set_by_five_settings() -> None:
    """Without the first there is none."""
    assert address_of(Config()) is None
    given = {"URL": "mqtts://broker.example.org", "PASSWORD": SECRET, "CA_FILE": "/ca.pem", "CLIENT": "one"}
    config = from_environment({f"COMMONWATT_MQTT_{name}": value for name, value in given.items()})
    address = Address("broker.example.org", 8883, True, "commonwatt", SECRET, "one", "/ca.pem")
    assert address_of(config) == address
    assert SECRET not in repr(config)
    assert SECRET not in repr(address)
    local = from_environment({"COMMONWATT_MQTT_URL": "mqtt://[::1]", "COMMONWATT_MQTT_PASSWORD": SECRET})
    found = address_of(local)
    assert found is not None
    assert (found.host, found.port, found.tls) == ("::1", 1883, False)
    assert tls_context(found) is None


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"URL": "mqtt://broker.example.org"}, "URL"),
        ({"URL": "mqtt://10.0.0.1"}, "URL"),
        ({"URL": "https://broker.example.org"}, "URL"),
        ({"URL": "mqtts://"}, "URL"),
        ({"URL": "mqtts://broker:none"}, "URL"),
        ({"URL": f"mqtts://commonwatt:{SECRET}@broker.example.org"}, "URL"),
        ({"URL": "mqtts://broker/path"}, "URL"),
        ({"URL": "mqtts://broker", "PASSWORD": ""}, "PASSWORD"),
        ({"URL": "mqtts://broker", "PASSWORD": "short"}, "PASSWORD"),
        ({"URL": "mqtts://broker", "CLIENT": "a/b"}, "CLIENT"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(settings: dict[str, str], name: str) -> None:
    """A password in the URL is not repeated, nor is one that is too short."""
    environ = {f"COMMONWATT_MQTT_{key}": value for key, value in ({"PASSWORD": SECRET} | settings).items()}
    with pytest.raises(ConfigError, match=f"COMMONWATT_MQTT_{name}") as raised:
        from_environment(environ)
    assert SECRET not in str(raised.value)
    assert "short" not in str(raised.value)


def test_an_authority_that_cannot_be_read_stops_the_program() -> None:
    """It would trust nobody otherwise, or everybody."""
    with pytest.raises(ConfigError, match="COMMONWATT_MQTT_CA_FILE"):
        tls_context(Address("a", 1, True, "u", SECRET, "c", "/nowhere/ca.pem"))


def test_the_control_topic_is_the_brokers_own() -> None:
    """No device's name leads there."""
    assert control.CONTROL.startswith("$CONTROL/")
    assert inward(control.CONTROL) is None


def test_what_nobody_wants_confirmed_is_let_go_when_too_much_waits() -> None:
    """What is to be confirmed is not, the broker bounds it; nor is what the broker itself says."""
    inbox = Inbox()
    for qos, topic in [(0, "hub/a/readings")] * (UNCONFIRMED_MAX + 5) + [(1, "hub/a/readings"), (0, LOG)]:
        inbox.put_nowait(Message(topic, b"", qos, False, 1, None))
    assert inbox.qsize() == UNCONFIRMED_MAX + 2


def test_the_page_for_operators_sets_up_the_broker_that_is_tested() -> None:
    """The same directives, but for where things lie; the same rights of the hub; and the topics of the program."""
    page = (ROOT / "docs" / "hub" / "mqtt.md").read_text()
    shown = page.partition("mosquitto.conf`:\n\n```\n")[2].partition("```")[0]
    own = {"user", "autosave_on_changes", "autosave_interval"}  # the tests'
    directives = [line.split() for line in shown.splitlines() if line and not line.startswith("#")]
    tested = [line.split() for line in mosquitto.CONF.splitlines()]
    placed = {"listener", "cafile", "certfile", "keyfile", "plugin", "plugin_opt_config_file", "persistence_location"}
    assert [words[0] for words in directives if words[0] not in own] == [
        words[0] for words in tested if words[0] not in own
    ]
    for words in directives:
        assert words[0] in placed | own or words[:2] == ["log_dest", "file"] or words in tested, words
    for kind, topic in mosquitto.HUB_ACLS:
        assert kind in page
        assert f"'{topic}'" in page
    for topic in (*INWARD, answers_of("+"), clock_of("+")):
        assert topic.removeprefix("$share/commonwatt/").replace("/+", "/{device}", 1).replace("/+", "/{format}") in page
