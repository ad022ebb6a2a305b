"""The real process is killed again and again: what it acknowledged is there, nothing is lost, nothing is doubled."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
import http.client
import json
from pathlib import Path
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
import pytest

from cloud.wire import SIGNATURE_HEADER, PairingRequest, Tree, digest, to_bytes

from .conftest import INTERVAL, TREE, Site

ROOT = Path(__file__).parents[2]
KILLS = 4
BATCHES = 400
DEAD: Any = None  # a site here only signs: it talks to a process, not to the cloud of the other tests


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Return the settings of a cloud in a folder of its own."""
    files = {"DATABASE_URL": f"sqlite:///{folder}/cloud.db", "KEY_FILE": f"{folder}/cloud.key"}
    return {f"COMMONWATT_{name}": value for name, value in (files | more).items()} | {"PYTHONPATH": str(ROOT)}


def run(folder: Path, *arguments: str) -> str:
    """Run one command of the cloud to its end, and return what it says."""
    command = [sys.executable, "-m", "cloud", *arguments]
    return subprocess.run(
        command, env=environment(folder), cwd=folder, capture_output=True, text=True, timeout=60, check=True
    ).stdout


class Caller:
    """A site and an operator who talk to whatever process listens on a port now."""

    def __init__(self, port: int) -> None:
        """Know where to ask."""
        self.port = port
        self.site = Site(DEAD, Ed25519PrivateKey.generate())
        self.acknowledged: dict[int, str] = {}

    def call(self, method: str, path: str, body: bytes | str = b"", **headers: str) -> tuple[int, Any]:
        """Send one request; a process that is gone raises."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            connection.request(method, path, body, named)
            reply = connection.getresponse()
            return reply.status, json.loads(reply.read() or b"null")

    def token(self, client_id: str, secret: str) -> str:
        """Return an Authorization header."""
        form = f"grant_type=client_credentials&client_id={client_id}&client_secret={secret}"
        status, reply = self.call("POST", "/v1/token", form, Content_Type="application/x-www-form-urlencoded")
        assert status == 200
        return f"Bearer {reply['access_token']}"

    def signed(self, method: str, path: str, raw: bytes, authorization: str = "") -> tuple[int, Any]:
        """Send what the site signs."""
        named = {SIGNATURE_HEADER: self.site.sign(raw)} | ({"Authorization": authorization} if authorization else {})
        return self.call(method, path, raw, **named)

    def send(self, raws: list[bytes], authorization: str) -> None:
        """Send what is not acknowledged yet in order, until the process is gone; note what was acknowledged."""
        for number, raw in enumerate(raws, 1):
            if number not in self.acknowledged:
                try:
                    status, reply = self.signed("POST", "/v1/batches", raw, authorization)
                except OSError, http.client.HTTPException, ValueError:
                    return
                assert status in (200, 201), reply
                self.acknowledged[number] = reply["hash"]


@contextmanager
def serving(folder: Path, port: int, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `python -m cloud serve` until it answers; it is gone afterwards."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cloud", "serve"],
        env=environment(folder, PORT=str(port), LOG_LEVEL="ERROR", **more),
        cwd=folder,
    )
    try:
        end = time.monotonic() + 30
        while True:
            assert process.poll() is None, "the cloud did not start"
            try:
                with socket.create_connection(("127.0.0.1", port), 0.2):
                    break
            except OSError:
                assert time.monotonic() < end
                time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def caller(tmp_path: Path) -> Caller:
    """Make a cloud in a folder, and pair a site that has told its tree."""
    run(tmp_path, "migrate")
    added = run(tmp_path, "client", "add", "--scope", "operator")
    client = dict(line.split("=", 1) for line in added.split())
    with socket.create_server(("127.0.0.1", 0)) as free:
        caller = Caller(free.getsockname()[1])
    with serving(tmp_path, caller.port):
        bearer = caller.token(client["client_id"], client["client_secret"])
        here = "/v1/communities/riverside"
        assert caller.call("PUT", here, '{"name":"R","time_zone":"UTC"}', Authorization=bearer)[0] == 200
        for owner in ("anna", "ben", "sun"):
            assert caller.call("PUT", f"{here}/owners/{owner}", '{"name":"O"}', Authorization=bearer)[0] == 200
        status, code = caller.call("POST", f"{here}/pairing-codes", '{"main_owner":"anna"}', Authorization=bearer)
        assert status == 201
        wanted = PairingRequest(code["code"], "Home", "Europe/Berlin", caller.site.public_key)
        status, paired = caller.signed("POST", "/v1/sites", to_bytes(wanted))
        assert status == 201
        caller.site.site, caller.site.secret = paired["site"], paired["client_secret"]
        bearer = caller.token(caller.site.site, caller.site.secret)
        raw = to_bytes(Tree(caller.site.site, 1, 0, TREE))
        assert caller.signed("PUT", f"/v1/sites/{caller.site.site}/tree", raw, bearer)[0] == 201
    return caller


def stored(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    """Read the file as it lies there, or change it."""
    with closing(sqlite3.connect(folder / "cloud.db", isolation_level=None)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return connection.execute(sql).fetchall()


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGTERM])
def test_what_was_acknowledged_outlives_the_process(tmp_path: Path, caller: Caller, blow: signal.Signals) -> None:
    """Struck between and within requests; at the end every batch is there once, byte for byte, with its readings."""
    raws = caller.site.chain(BATCHES, start=1_700_000_000 - 1_700_000_000 % INTERVAL)
    for strike in range(KILLS):
        with serving(tmp_path, caller.port) as process:
            bearer = caller.token(caller.site.site, caller.site.secret)
            sending = threading.Thread(target=caller.send, args=(raws, bearer))
            before = len(caller.acknowledged)
            sending.start()
            while len(caller.acknowledged) < before + 5 + 7 * strike:
                time.sleep(0.001)
            process.send_signal(blow)
            process.wait(timeout=30)
            sending.join(timeout=30)
        found = {seq: (digest, raw) for seq, digest, raw in stored(tmp_path, "SELECT seq, hash, raw FROM batch")}
        assert caller.acknowledged.items() <= {seq: digest for seq, (digest, _) in found.items()}.items()
        assert len(found) <= len(caller.acknowledged) + 1  # the one whose answer was lost
    assert len(caller.acknowledged) < BATCHES, "the process was never struck at work"
    with serving(tmp_path, caller.port):
        caller.send(raws, caller.token(caller.site.site, caller.site.secret))
    assert caller.acknowledged == {seq: digest(raw) for seq, raw in enumerate(raws, 1)}
    assert stored(tmp_path, "SELECT seq, raw FROM batch ORDER BY seq") == list(enumerate(raws, 1))
    assert stored(tmp_path, "SELECT count(*), count(DISTINCT tap || start) FROM reading") == [
        (BATCHES * len(TREE), BATCHES * len(TREE))
    ]
    assert stored(tmp_path, "SELECT acked_through, highest FROM chain") == [(BATCHES, BATCHES)]
    assert stored(tmp_path, "SELECT count(*) FROM contradiction") == [(0,)]
