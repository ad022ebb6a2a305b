"""The cloud's own key: one file, made once with the database, and never replaced without a person's will.

Whoever holds the file is the cloud: sites believe nothing that it has not signed. So a lost or wrong file stops the
program, instead of quietly making a new cloud that nobody knows.
"""

import os
from pathlib import Path
import secrets

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import CheckConstraint, Column, Connection, Table, select

from .database import STRICT, TEXT, WHOLE, metadata
from .errors import IdentityError
from .principal import CloudKey

cloud_identity_table = Table(
    "cloud_identity",
    metadata,
    Column("one", WHOLE, primary_key=True, autoincrement=False),
    Column("kid", TEXT, nullable=False),
    Column("public_key", TEXT, nullable=False),
    Column("made_at", WHOLE, nullable=False),
    CheckConstraint("one = 1", name="only_one"),
    **STRICT,
)


def known_kid(conn: Connection) -> str | None:
    """Return the thumbprint of the key this database belongs to."""
    return conn.execute(select(cloud_identity_table.c.kid)).scalar_one_or_none()


def establish(conn: Connection, path: Path, now: int) -> CloudKey:
    """Give a new database its key: the file that lies there, or a new one. A known database keeps the one it has."""
    if known_kid(conn) is not None:
        key = load(path)
        check(conn, key, path)
        return key
    if not path.exists():
        create(path)
    key = load(path)
    values = {"one": 1, "kid": key.kid, "public_key": key.public_key, "made_at": now}
    conn.execute(cloud_identity_table.insert().values(values))
    return key


def check(conn: Connection, key: CloudKey, path: Path) -> None:
    """Refuse a key this database does not belong to."""
    kid = known_kid(conn)
    if kid is None:
        raise IdentityError("this database has no key yet; run `python -m cloud migrate`")
    if kid != key.kid:
        raise IdentityError(
            f"{path} holds the key {key.kid}, but this database belongs to {kid}. "
            "Put the right key file there, or set COMMONWATT_KEY_FILE and COMMONWATT_DATABASE_URL to a pair"
        )


def load(path: Path) -> CloudKey:
    """Read the key file."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except FileNotFoundError:
        raise IdentityError(
            f"the key file {path} is missing. Restore it from your backup or set COMMONWATT_KEY_FILE; "
            "for a new cloud, run `python -m cloud migrate` on a new database"
        ) from None
    except OSError as error:
        raise IdentityError(f"the key file {path} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError) as error:
        raise IdentityError(
            f"the key file {path} is no Ed25519 private key in PEM ({type(error).__name__}); restore it from a backup"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise IdentityError(f"the key file {path} holds another kind of key than Ed25519")
    return CloudKey(key.private_bytes_raw())


def create(path: Path) -> None:
    """Write a new key, readable by nobody else, complete or not at all, and never over another."""
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)  # unlike a rename, it fails if a key came there meanwhile
        draft.unlink()
        _sync_folder(path.parent)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise IdentityError(f"the key file {path} cannot be written: {error.strerror}") from None


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
