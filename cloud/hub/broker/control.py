"""What the broker's dynamic security plugin is told, and what its answers mean. Pure.

Each device is a client of the broker with a role of its own, which opens its own topics and nothing else. A client
without that role is somebody else's (the operator's, or the hub itself), and is never touched: a device of the same
name is refused instead.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from cloud.errors import CommonwattError

from .topic import ROOT, answers_of, clock_of

CONTROL = "$CONTROL/dynamic-security/v1"
RESPONSES = f"{CONTROL}/response"
PAGE = 500  # clients in one list
ROLE = "commonwatt device "

type Command = dict[str, Any]
type Client = Literal["none", "ours", "foreign"]


class ControlError(CommonwattError):
    """The broker did not do as it was told; the message says what it answered, and holds no secret."""


def role_of(device: str) -> str:
    """Return the name of a device's role."""
    return f"{ROLE}{device}"


def looked_at(device: str) -> list[Command]:
    """Return the question whether a device is a client already."""
    return [{"command": "getClient", "username": device}]


def let_in(device: str, password: str, found: Client) -> list[Command]:
    """Return what lets a device in with a password, and whoever uses an older one out."""
    role = role_of(device)
    rights: Command = {"rolename": role, "acls": _rights(device)}
    named = {"username": device, "password": password, "roles": [{"rolename": role}]}
    if found == "ours":
        return [{"command": "modifyRole"} | rights, {"command": "modifyClient"} | named]
    # a role without its client is what an interrupted removal leaves
    swept: Command = {"command": "deleteRole", "rolename": role}
    return [swept, {"command": "createRole"} | rights, {"command": "createClient"} | named]


def kept_out(device: str) -> list[Command]:
    """Return what ends a device's connection and lets it in no more."""
    return [{"command": "deleteClient", "username": device}, {"command": "deleteRole", "rolename": role_of(device)}]


def listed(offset: int) -> list[Command]:
    """Return the question for a page of the broker's clients."""
    return [{"command": "listClients", "verbose": True, "count": PAGE, "offset": offset}]


def found_of(response: Mapping[str, Any], device: str) -> Client:
    """Return whose client answers to a device's name, by the answer to `looked_at`."""
    if response.get("error") == "Client not found":
        return "none"
    return "ours" if role_of(device) in _roles(_client(done(response))) else "foreign"


def ours_of(response: Mapping[str, Any]) -> tuple[list[str], int]:
    """Return the devices on a page of clients, and how many clients there are on all."""
    data = done(response)
    try:
        clients = data["clients"]
        return [item["username"] for item in clients if role_of(item["username"]) in _roles(item)], data["totalCount"]
    except (KeyError, TypeError) as error:
        raise ControlError(f"listClients was answered without {error}") from None


def done(response: Mapping[str, Any], *, unless: str | None = None) -> dict[str, Any]:
    """Return what an answer holds; raises ControlError where the broker refused for another reason than `unless`."""
    if "error" in response and response["error"] != unless:
        raise ControlError(f"{response.get('command')}: {response['error']}")
    data = response.get("data", {})
    return data if isinstance(data, dict) else {}


def check(commands: Sequence[Command], responses: Sequence[Mapping[str, Any]]) -> None:
    """Raise ControlError unless each command was done; what should be gone and was not there is as good as done."""
    for command, response in zip(commands, responses, strict=True):
        gone = {"deleteClient": "Client not found", "deleteRole": "Role not found"}.get(command["command"])
        done(response, unless=gone)


def _rights(device: str) -> list[dict[str, Any]]:
    sends = [f"{ROOT}/{device}/{what}" for what in ("readings", "readings/+", "status")]
    hears = [answers_of(device), clock_of(device)]
    rights = [("publishClientSend", topic) for topic in sends]
    rights += [(kind, topic) for topic in hears for kind in ("publishClientReceive", "subscribeLiteral")]
    return [{"acltype": kind, "topic": topic, "allow": True} for kind, topic in rights]


def _client(data: Mapping[str, Any]) -> Mapping[str, Any]:
    client = data.get("client")
    if not isinstance(client, dict):
        raise ControlError("getClient was answered without the client")
    return client


def _roles(client: Mapping[str, Any]) -> set[str]:
    return {role["rolename"] for role in client.get("roles", []) if isinstance(role, dict) and "rolename" in role}
