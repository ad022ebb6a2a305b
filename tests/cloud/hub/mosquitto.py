"""A real MQTT broker for the tests: Mosquitto with TLS and its dynamic security plugin, as an operator sets it up."""

from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
import hashlib
from ipaddress import IPv4Address
import json
import os
from pathlib import Path
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "scripts" / "mosquitto"
LIBRARIES = "lib"  # beside the folder of an unpacked broker
HUB_USER = "commonwatt"
HUB_PASSWORD = "the hub's own password"
PATIENCE_S = 20
DAYS = timedelta(days=2)

HUB_ACLS = [
    ("publishClientSend", "$CONTROL/dynamic-security/#"),
    ("publishClientReceive", "$CONTROL/dynamic-security/#"),
    ("subscribePattern", "$CONTROL/dynamic-security/#"),
    ("publishClientReceive", "$SYS/broker/log/#"),
    ("subscribePattern", "$SYS/broker/log/#"),
    ("publishClientReceive", "hub/#"),
    ("publishClientSend", "hub/+/answers"),
    ("publishClientSend", "hub/+/clock"),
    ("subscribePattern", "$share/commonwatt/hub/#"),
]

CONF = """\
listener {port} 127.0.0.1
cafile {folder}/ca.pem
certfile {folder}/server.pem
keyfile {folder}/server.key
tls_version tlsv1.2
allow_anonymous false
plugin {plugin}
plugin_opt_config_file {folder}/dynamic-security.json
persistence true
persistence_location {folder}/
autosave_interval 1
autosave_on_changes true
max_queued_messages 0
max_inflight_messages 0
max_inflight_bytes 33554432
message_size_limit 2097152
log_type error
log_type warning
log_type notice
connection_messages true
log_dest topic
log_dest file {folder}/log
user {user}
"""


def find() -> tuple[tuple[Path, Path] | None, str]:
    """Return the broker and its plugin, or why there is none."""
    found = subprocess.run([SCRIPT], capture_output=True, text=True, check=False)
    if found.returncode:
        return None, found.stderr.strip()
    broker, plugin = map(Path, found.stdout.split())
    return (broker, plugin), ""


@dataclass
class Broker:
    """A broker that can be killed and started again with what it kept."""

    folder: Path
    program: Path
    port: int
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def ca_file(self) -> Path:
        """The authority that signed the broker's certificate."""
        return self.folder / "ca.pem"

    def trust(self) -> ssl.SSLContext:
        """Return how a device checks the broker's certificate."""
        return ssl.create_default_context(cafile=self.ca_file)

    def start(self) -> None:
        """Start the broker and wait until it answers."""
        bound = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        command: list[str | Path] = [*bound, self.program, "-c", self.folder / "mosquitto.conf"]
        self.process = subprocess.Popen(
            command, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    self.stop()
                    raise AssertionError(self.log()) from None
                time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the broker: by SIGTERM it writes down what it has, by SIGKILL it does not."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(PATIENCE_S)
            assert self.process.stderr is not None
            self.process.stderr.close()
            self.process = None

    def log(self) -> str:
        """Return what the broker wrote into its log."""
        file = self.folder / "log"
        return file.read_text() if file.exists() else ""

    def users(self) -> set[str]:
        """Return whom the broker lets in, by the file of its plugin."""
        kept = json.loads((self.folder / "dynamic-security.json").read_text())
        return {client["username"] for client in kept["clients"]}


@contextmanager
def running(broker: Path, plugin: Path) -> Iterator[Broker]:
    """Start a broker in a new folder; stop it and remove the folder at the end, whatever happened."""
    folder = Path(tempfile.mkdtemp(prefix="commonwatt-mosquitto-"))
    broker, plugin = _readable(broker, folder), _readable(plugin, folder)
    made = Broker(folder, broker, _free_port(), _environment(broker))
    try:
        _certify(folder)
        user = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        conf = CONF.format(port=made.port, folder=folder, plugin=plugin, user=user)
        (folder / "mosquitto.conf").write_text(conf)
        hub = client_of(HUB_USER, HUB_PASSWORD, HUB_USER)
        write_security(folder, [hub, client_of("other", "somebody else's", HUB_USER)])
        if os.geteuid() == 0:  # it leaves root's rights behind
            for path in (folder, *folder.iterdir()):
                shutil.chown(path, user)
        made.start()
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder)


def client_of(user: str, password: str, role: str) -> dict[str, Any]:
    """Return a client as the plugin keeps it."""
    salt = os.urandom(12)
    hashed = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 101)
    kept = {"username": user, "password": b64encode(hashed).decode(), "salt": b64encode(salt).decode()}
    return kept | {"iterations": 101, "roles": [{"rolename": role}]}


def write_security(folder: Path, clients: list[dict[str, Any]]) -> None:
    """Write the plugin's file: the hub may do what its role says, and nobody anything else."""
    denied = {"publishClientSend": False, "publishClientReceive": False, "subscribe": False, "unsubscribe": True}
    acls = [{"acltype": kind, "topic": topic, "allow": True} for kind, topic in HUB_ACLS]
    kept = {"defaultACLAccess": denied, "clients": clients, "groups": []}
    kept |= {"roles": [{"rolename": HUB_USER, "acls": acls}]}
    (folder / "dynamic-security.json").write_text(json.dumps(kept))


def _readable(file: Path, folder: Path) -> Path:
    """Return a file that may be read by whom the broker becomes when it leaves root's rights behind.

    That is a copy, libraries and all, where it lies in root's own home.
    """
    if all(parent.stat().st_mode & 0o001 for parent in file.parents):
        return file
    unpacked = file.parent.parent
    shutil.copytree(unpacked, folder / "programs", dirs_exist_ok=True)
    return folder / "programs" / file.relative_to(unpacked)


def _environment(broker: Path) -> dict[str, str]:
    # an unpacked broker has beside it the libraries that the machine lacks
    return {"PATH": os.defpath, "LD_LIBRARY_PATH": str(broker.parent.parent / LIBRARIES)}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _certify(folder: Path) -> None:
    """Make an authority, and a certificate of it for this machine."""
    now = datetime.now(UTC)
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests' authority")])
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "broker")])
    base = x509.CertificateBuilder().issuer_name(ca_name).not_valid_before(now - DAYS).not_valid_after(now + DAYS)
    is_ca = x509.BasicConstraints(ca=True, path_length=None)
    identified = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    ca = (
        base.subject_name(ca_name)
        .public_key(ca_key.public_key())
        .serial_number(x509.random_serial_number())
        .add_extension(is_ca, critical=True)
        .add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False, False), critical=True)
        .add_extension(identified, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(IPv4Address("127.0.0.1"))])
    certificate = (
        base.subject_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .add_extension(names, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(ca.public_bytes(Encoding.PEM))
    (folder / "server.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "server.key").write_bytes(private)
