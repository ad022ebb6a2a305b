"""From an empty folder to a running cloud, by the command line: it starts on what is its own, and stops when told."""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
import json
from pathlib import Path
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request

from aiohttp import web
import pytest
from sqlalchemy import delete, text

from cloud import identity
from cloud.__main__ import main
from cloud.app import create_app
from cloud.config import Config, from_environment
from cloud.database import Database
from cloud.errors import ConfigError, IdentityError, SchemaError
from cloud.identity import cloud_identity_table

ROOT = Path(__file__).parents[2]


def environment(folder: Path, url: str, **more: str) -> dict[str, str]:
    """Return the settings of a cloud in a folder of its own."""
    own = {"COMMONWATT_DATABASE_URL": url, "COMMONWATT_KEY_FILE": f"{folder}/cloud.key"}
    return own | {"PYTHONPATH": str(ROOT)} | more


def run(folder: Path, url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one command of the cloud to its end."""
    command = [sys.executable, "-m", "cloud", *arguments]
    return subprocess.run(
        command, env=environment(folder, url), cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


async def started(config: Config) -> None:
    """Start a cloud and stop it again."""
    async with AsyncExitStack() as stack:
        runner = web.AppRunner(create_app(config))
        stack.push_async_callback(runner.cleanup)
        await runner.setup()


def test_from_an_empty_folder_to_a_running_cloud(new_url: Callable[[Path], str], tmp_path: Path) -> None:
    """Migrate, add a client, serve, ask, and stop at SIGTERM: what a newcomer does, in real processes."""
    url = new_url(tmp_path)
    assert run(tmp_path, url, "serve").returncode == 1
    migrated = run(tmp_path, url, "migrate")
    assert migrated.returncode == 0, migrated.stderr
    assert "keep a copy of the key file" in migrated.stdout
    added = run(tmp_path, url, "client", "add", "--scope", "operator", "--name", "me")
    client = dict(line.split("=", 1) for line in added.stdout.split())
    assert run(tmp_path, url, "settle").stdout == "0 intervals settled, 0 steps done for cables, 0 days sealed\n"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    served = subprocess.Popen(
        [sys.executable, "-m", "cloud", "serve"],
        env=environment(tmp_path, url, COMMONWATT_PORT=str(port)),
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        form = f"grant_type=client_credentials&client_id={client['client_id']}&client_secret={client['client_secret']}"
        answered = ask(f"http://127.0.0.1:{port}/v1/token?asked=CANARY", form.encode())
        assert answered["scope"] == "operator"
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as health:
            assert health.status == 200
        served.send_signal(signal.SIGTERM)
        _, log = served.communicate(timeout=15)
    finally:
        served.kill()
    assert served.returncode == 0
    lines = [json.loads(line) for line in log.splitlines()]
    access, _healthz = [line for line in lines if line["message"] == "request"]
    assert (access["method"], access["path"], access["status"]) == ("POST", "/v1/token", 200)
    assert len(access["reference"]) == 36
    assert "CANARY" not in log
    assert client["client_secret"] not in log


def ask(url: str, body: bytes) -> Mapping[str, str]:
    """Send a form as soon as somebody answers."""
    end = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(url, body, timeout=5) as reply:
                answer: Mapping[str, str] = json.load(reply)
                return answer
        except ConnectionError, urllib.error.URLError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def test_a_key_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    """0600 from the first moment, in a format that other programs read, and without leftovers."""
    identity.create(tmp_path / "cloud.key")
    assert stat.S_IMODE((tmp_path / "cloud.key").stat().st_mode) == 0o600
    assert (tmp_path / "cloud.key").read_text().startswith("-----BEGIN PRIVATE KEY-----")
    assert [path.name for path in tmp_path.iterdir()] == ["cloud.key"]


def test_a_key_file_is_never_written_over(tmp_path: Path) -> None:
    """Whatever lies there is somebody's identity."""
    path = tmp_path / "cloud.key"
    path.write_text("precious")
    with pytest.raises(IdentityError, match="cannot be written"):
        identity.create(path)
    assert path.read_text() == "precious"


async def test_migrating_again_keeps_the_key(config: Config) -> None:
    """A database that knows its key gets no other one, not even when the file is lost."""
    database = Database(config.database_url)
    before = identity.load(config.key_file).kid
    assert (await database.write(identity.establish, config.key_file, 0)).kid == before
    config.key_file.unlink()
    with pytest.raises(IdentityError, match="backup"):
        await database.write(identity.establish, config.key_file, 0)
    assert not config.key_file.exists()
    database.dispose()


async def test_a_migration_that_was_cut_off_takes_the_key_it_left(config: Config) -> None:
    """The file was written, the database not: the next run joins them."""
    database = Database(config.database_url)
    await database.write(lambda conn: conn.execute(delete(cloud_identity_table)))
    with pytest.raises(IdentityError, match="migrate"):
        await started(config)
    before = identity.load(config.key_file).kid
    assert (await database.write(identity.establish, config.key_file, 0)).kid == before
    await started(config)
    database.dispose()


async def test_a_cloud_without_its_key_does_not_start(config: Config) -> None:
    """It says which file is missing, and never becomes somebody else."""
    config.key_file.unlink()
    with pytest.raises(IdentityError, match=r"cloud\.key is missing"):
        await started(config)
    assert not config.key_file.exists()


async def test_a_cloud_does_not_start_with_another_key(config: Config) -> None:
    """Sites would believe nothing it says."""
    config.key_file.unlink()
    identity.create(config.key_file)
    with pytest.raises(IdentityError, match="belongs to"):
        await started(config)


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 100, b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
async def test_a_torn_key_file_is_named(config: Config, content: bytes) -> None:
    """After a power cut, say, which is no reason for a new key."""
    config.key_file.write_bytes(content)
    with pytest.raises(IdentityError, match="restore it"):
        await started(config)


async def test_a_cloud_does_not_start_on_an_old_schema(config: Config) -> None:
    """It says which command helps."""
    database = Database(config.database_url)
    await database.write(lambda conn: conn.execute(text("DELETE FROM alembic_version")))
    database.dispose()
    with pytest.raises(SchemaError, match="python -m cloud migrate"):
        await started(config)


async def test_a_cloud_starts_and_stops_without_leftovers(config: Config) -> None:
    """Twice in a row on the same files; threads and tasks are watched by the test's own plugin."""
    await started(config)
    await started(config)


def test_settings_have_defaults() -> None:
    """An empty environment is enough to try it."""
    assert from_environment({}) == Config()
    assert from_environment({"COMMONWATT_PORT": "", "HOME": "/root"}) == Config()


def test_settings_are_taken_from_the_environment() -> None:
    """Each by its name; what it is called from outside follows where it listens."""
    given = {"HOST": "0.0.0.0", "PORT": "80", "KEY_FILE": "/k", "LOG_LEVEL": "debug", "PROXIES": "2"}
    config = from_environment({f"COMMONWATT_{name}": value for name, value in given.items()})
    assert config == Config(
        host="0.0.0.0", port=80, key_file=Path("/k"), log_level="DEBUG", proxies=2, public_url="http://0.0.0.0:80"
    )
    url = from_environment({"COMMONWATT_PUBLIC_URL": "https://cloud.example.org/"}).public_url
    assert url == "https://cloud.example.org"
    assert "hunter2" not in repr(from_environment({"COMMONWATT_DATABASE_URL": "postgresql://u:hunter2@h/d"}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PORT", "٣"),
        ("PROXIES", "11"),
        ("LOG_LEVEL", "LOUD"),
        ("PUBLIC_URL", "cloud.example.org"),
        ("PUBLIC_URL", "ftp://x"),
    ],
)
def test_a_bad_setting_is_named(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line that says which and what would do, not a traceback."""
    with pytest.raises(ConfigError, match=f"COMMONWATT_{name}"):
        from_environment({f"COMMONWATT_{name}": value})
    monkeypatch.setenv(f"COMMONWATT_{name}", value)
    assert main(["migrate"]) == 1
    assert capsys.readouterr().err.startswith(f"commonwatt: COMMONWATT_{name}")
