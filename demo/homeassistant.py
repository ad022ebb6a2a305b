"""The real Home Assistant: its configuration folder, and a client of its public HTTP and WebSocket API."""

import asyncio
from collections.abc import Mapping, Sequence
import json
from pathlib import Path
from typing import Any

import aiohttp

from .errors import RefusedError
from .processes import HOST
from .progress import until

START_S = 120
PROGRESS_S = 0.2
REQUEST = aiohttp.ClientTimeout(total=60)
CONFIGURATION = """\
homeassistant:
  name: Sunny Street 4
  latitude: 47.66
  longitude: 9.17
  elevation: 400
  unit_system: metric
  currency: EUR
  country: DE
  time_zone: Europe/Berlin
frontend:
api:
config:
energy:
history:
logbook:
recorder:
template:
  - sensor:
      - name: Solar production
        unique_id: solar_production
        device_class: power
        state_class: measurement
        unit_of_measurement: W
        availability: "{{ has_value('sensor.solar_power') }}"
        state: "{{ -(states('sensor.solar_power') | float) }}"
"""


def prepare_configuration(folder: Path, port: int, integration: Path) -> None:
    """Write a fresh configuration folder that listens on this loopback port and has the integration linked in."""
    storage = folder / ".storage"
    storage.mkdir(parents=True)
    (folder / "configuration.yaml").write_text(CONFIGURATION)
    (folder / "custom_components").mkdir()
    (folder / "custom_components" / integration.name).symlink_to(integration, target_is_directory=True)
    # `http:` in YAML is only tried for five minutes and then undone with a restart; a stored setting holds.
    _store(storage, "http", 2, 2, {"stable": _http_settings(port), "pending": None, "yaml_migration_done": True})
    # This step would set up a weather service and a radio directory on the internet, which the demo does not need.
    _store(storage, "onboarding", 4, 1, {"done": ["core_config"]})


def _http_settings(port: int) -> dict[str, object]:
    return {
        "server_host": [HOST],
        "server_port": port,
        "cors_allowed_origins": [],
        "login_attempts_threshold": -1,
        "ip_ban_enabled": True,
        "ssl_profile": "modern",
        "use_x_frame_options": True,
        "created_at": "2026-01-01T00:00:00+00:00",
        "error": None,
        "error_message": None,
    }


def _store(storage: Path, key: str, version: int, minor_version: int, data: Mapping[str, object]) -> None:
    content = {"version": version, "minor_version": minor_version, "key": key, "data": data}
    (storage / key).write_text(json.dumps(content))


class HomeAssistant:
    """One person's session with Home Assistant, as a browser would have it."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url
        self._token = ""

    async def wait_listening(self) -> None:
        """Wait until Home Assistant answers."""
        await until(self._listens, START_S, "Home Assistant does not answer")

    async def onboard(self, user: str, password: str) -> None:
        """Create the first user, sign in, and finish onboarding, so that the browser opens on the dashboard."""
        client_id = f"{self._url}/"
        person = {"name": "Demo", "username": user, "password": password, "client_id": client_id, "language": "en"}
        code = (await self._call("POST", "/api/onboarding/users", json=person))["auth_code"]
        grant = {"grant_type": "authorization_code", "code": code, "client_id": client_id}
        self._token = (await self._call("POST", "/auth/token", data=grant))["access_token"]
        await self._call("POST", "/api/onboarding/analytics", json={})
        redirect = {"client_id": client_id, "redirect_uri": f"{client_id}?auth_callback=1"}
        await self._call("POST", "/api/onboarding/integration", json=redirect)

    async def wait_running(self) -> None:
        """Wait until everything that starts with Home Assistant has started."""
        await until(self._runs, START_S, "Home Assistant does not finish its start")

    async def walk_flow(self, path: str, handler: object, answers: Sequence[Mapping[str, object]]) -> dict[str, Any]:
        """Walk through a flow, one answer per step, to the entry it creates; anything else is an error."""
        flows = f"/api/config/config_entries/{path}"
        step: dict[str, Any] = await self._call("POST", flows, json={"handler": handler})
        for answer in answers:
            if step["type"] not in {"form", "menu"}:
                raise RefusedError(f"the flow of {handler} ended before {dict(answer)}: {step}")
            step = await self._call("POST", f"{flows}/{step['flow_id']}", json=answer)
            while step["type"] in {"progress", "progress_done"}:  # a device is asked, and takes its time
                await asyncio.sleep(PROGRESS_S)
                step = await self._call("GET", f"{flows}/{step['flow_id']}")
            if step.get("errors"):
                raise RefusedError(f"step {step['step_id']} of {handler} refused {dict(answer)}: {step['errors']}")
        if step["type"] != "create_entry":
            raise RefusedError(f"the flow of {handler} did not create an entry: {step}")
        return step

    async def states(self) -> dict[str, str]:
        """Return the state of every entity."""
        return {entity["entity_id"]: entity["state"] for entity in await self._call("GET", "/api/states")}

    async def command(self, kind: str, **fields: object) -> Any:
        """Send one command over the WebSocket API and return its result."""
        async with self._session.ws_connect(f"{self._url}/api/websocket") as socket:
            await socket.receive_json()
            await socket.send_json({"type": "auth", "access_token": self._token})
            await socket.receive_json()
            await socket.send_json({"id": 1, "type": kind, **fields})
            answer = await socket.receive_json()
        if not answer["success"]:
            raise RefusedError(f"Home Assistant refused {kind}: {answer['error']['message']}")
        return answer["result"]

    async def set_number(self, entity: str, value: float) -> None:
        """Set a number, as a person does with its slider."""
        await self._call("POST", "/api/services/number/set_value", json={"entity_id": entity, "value": value})

    async def _listens(self) -> bool:
        try:
            await self._call("GET", "/api/onboarding")
        except aiohttp.ClientConnectionError:
            return False
        return True

    async def _runs(self) -> bool:
        return bool((await self._call("GET", "/api/config"))["state"] == "RUNNING")

    async def _call(self, method: str, path: str, **body: Any) -> Any:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        url = self._url + path
        async with self._session.request(method, url, headers=headers, timeout=REQUEST, **body) as answer:
            if answer.status >= 400:
                raise RefusedError(f"Home Assistant refused {method} {path}: {answer.status} {await answer.text()}")
            return await answer.json()
