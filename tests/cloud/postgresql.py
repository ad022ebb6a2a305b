"""A real PostgreSQL server for the tests: a cluster of its own in a temporary folder, without a port or a password.

It listens on a socket in that folder, which only who runs the tests may open. It sorts text as an operator's server
does, by a language and not by bytes, so that a room that relies on the order of bytes shows here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
import os
from pathlib import Path
import pwd
import shutil
import signal
import subprocess
import tempfile
import time

import psycopg
from psycopg import sql

SCRIPT = Path(__file__).parents[2] / "scripts" / "postgresql"
PATIENCE_S = 30  # for the server to answer, and to stop
OPTIONS = (
    "listen_addresses=",
    # nothing here outlives the tests; waiting for the disk at every new database would take longer than all of them
    "fsync=off",
    "full_page_writes=off",
    "shared_buffers=32MB",
    "log_min_messages=fatal",  # what a test provokes is the test's to look at
)


def find() -> tuple[Path | None, str]:
    """Return the folder of the server's programs, or why there is none."""
    found = subprocess.run([SCRIPT], capture_output=True, text=True, check=False)
    return (Path(found.stdout.strip()), "") if found.returncode == 0 else (None, found.stderr.strip())


class Server:
    """A running server, where databases are made in an instant from others."""

    def __init__(self, folder: Path, admin: psycopg.Connection) -> None:
        """Serve databases from a folder; `admin` makes and drops them."""
        self.folder = folder
        self._admin = admin

    def url(self, name: str) -> str:
        """Return the URL of a database, as an operator would set it."""
        return f"postgresql://commonwatt@/{name}?host={self.folder}"

    def has(self, name: str) -> bool:
        """Tell whether a database is there."""
        return self._admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is not None

    def create(self, name: str, template: str = "template1") -> str:
        """Make a database as a copy of another one, which nobody may be connected to; return its URL."""
        command = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        self._admin.execute(command.format(sql.Identifier(name), sql.Identifier(template)))
        return self.url(name)

    def drop(self, name: str) -> None:
        """Remove a database; raises when somebody is still connected to it, who should have ended."""
        end = time.monotonic() + 30
        while True:
            try:
                self._admin.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))
                return
            except psycopg.errors.ObjectInUse:  # a closed connection takes the server a moment to notice
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)


@contextmanager
def running(programs: Path) -> Iterator[Server]:
    """Start a server in a new folder; stop it and remove the folder at the end, whatever happened."""
    folder = Path(tempfile.mkdtemp(prefix="commonwatt-postgresql-"))
    try:
        user = _ordinary_user()
        if user is not None:
            os.chown(folder, user, -1)
            programs = _readable(programs, folder)
        # an unpacked server has beside it the libraries that the machine lacks
        environment = {"PATH": os.defpath, "LANG": "C", "LD_LIBRARY_PATH": str(_root(programs) / "lib")}
        yield from _served(programs, folder, user, environment)
    finally:
        shutil.rmtree(folder)


def _served(programs: Path, folder: Path, user: int | None, environment: dict[str, str]) -> Iterator[Server]:
    data = folder / "data"
    init: list[str | Path] = [
        programs / "initdb",
        "-D",
        data,
        "-U",
        "commonwatt",
        "--auth=trust",
        "-E",
        "UTF8",
        "--no-sync",
    ]
    init += ["--no-locale", *_language(programs, environment)]
    made = subprocess.run(
        init, env=environment, cwd=folder, user=user, capture_output=True, text=True, timeout=120, check=False
    )
    assert made.returncode == 0, made.stderr
    options = [part for option in (*OPTIONS, f"unix_socket_directories={folder}") for part in ("-c", option)]
    with (folder / "log").open("wb") as log:
        # also ends when the tests are killed
        bound = ["setpriv", "--pdeathsig", "INT"] if shutil.which("setpriv") else []
        command: list[str | Path] = [*bound, programs / "postgres", "-D", data, *options]
        server = subprocess.Popen(command, env=environment, cwd=folder, user=user, stdout=log, stderr=log)
    try:
        with _connected(folder, server) as admin:
            yield Server(folder, admin)
    finally:
        server.send_signal(signal.SIGINT)  # ends whoever is still connected, then itself
        try:
            server.wait(PATIENCE_S)
        finally:
            server.kill()


def _language(programs: Path, environment: dict[str, str]) -> list[str]:
    """Return how initdb is told to sort by a language: older servers than 15 sort by bytes."""
    says = subprocess.run(
        [str(programs / "initdb"), "--help"], env=environment, capture_output=True, text=True, check=True
    ).stdout
    return ["--locale-provider=icu", "--icu-locale=en-US"] if "--icu-locale" in says else []


def _ordinary_user() -> int | None:
    """Return who the server runs as instead of root, whom PostgreSQL refuses; None: as ourselves."""
    return pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None


def _root(programs: Path) -> Path:
    """Return the folder that holds all of a server that lies in a folder of its own, as unpacked or as built."""
    return programs.parents[4] if programs.parts[-5:-2] == ("usr", "lib", "postgresql") else programs.parent


def _readable(programs: Path, folder: Path) -> Path:
    """Return programs that an ordinary user may run: a copy, if they lie in root's own home."""
    if all(parent.stat().st_mode & 0o001 for parent in (programs, *programs.parents)):
        return programs
    root = _root(programs)
    shutil.copytree(root, folder / "programs", symlinks=True)
    return folder / "programs" / programs.relative_to(root)


def _connected(folder: Path, server: subprocess.Popen[bytes]) -> psycopg.Connection:
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            return psycopg.connect(host=str(folder), user="commonwatt", dbname="postgres", autocommit=True)
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > end:
                raise AssertionError((folder / "log").read_text()) from None
            time.sleep(0.05)
