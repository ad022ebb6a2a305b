"""A tap changes hands with a passcode."""

from collections.abc import Iterator
import json
from typing import Any

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
TEXT = sa.Text()


def upgrade() -> None:
    """Create the tables, and note whose every tap is by the trees there are."""
    op.add_column("tree", sa.Column("valid_through", WHOLE))
    _create_transfers()
    _create_passcodes()
    tree = sa.table("tree", *(sa.column(name) for name in ("bucket", "community", "site", "rev", "raw")))
    owners = sa.table(
        "tap_owner", *(sa.column(name) for name in ("bucket", "community", "site", "tap", "owner", "rev"))
    )
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in op.get_bind().execute(sa.select(tree).order_by(tree.c.rev)):
        place = {"bucket": row.bucket, "community": row.community, "site": row.site}
        for tap, owner in _owners(row.raw):
            found[(*place.values(), tap)] = place | {"tap": tap, "owner": owner, "rev": row.rev}
    if found:
        op.bulk_insert(owners, list(found.values()))


def _owners(raw: bytes) -> Iterator[tuple[str, str]]:
    for tap, member in json.loads(raw)["taps"].items():
        yield tap, member["owner"]


def _site_key(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["bucket", "community", "site"],
        ["site.bucket", "site.community", "site.site"],
        name=op.f(f"fk_{table}_site_bucket_community_site"),
    )


def _create_transfers() -> None:
    op.create_table(
        "tap_owner",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("site", TEXT, nullable=False),
        sa.Column("tap", TEXT, nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("since", WHOLE),
        sa.Column("rev", WHOLE, nullable=False),
        _site_key("tap_owner"),
        sa.PrimaryKeyConstraint("bucket", "community", "site", "tap", name=op.f("pk_tap_owner")),
        sqlite_strict=True,
    )
    op.create_table(
        "transfer",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("site", TEXT, nullable=False),
        sa.Column("transfer", TEXT, nullable=False),
        sa.Column("tap", TEXT, nullable=False),
        sa.Column("from_owner", TEXT, nullable=False),
        sa.Column("to_owner", TEXT, nullable=False),
        sa.Column("asked_by", TEXT, nullable=False),
        sa.Column("asked_at", WHOLE, nullable=False),
        sa.Column("not_before", WHOLE, nullable=False),
        sa.Column("effective_from", WHOLE),
        _site_key("transfer"),
        sa.PrimaryKeyConstraint("bucket", "community", "site", "transfer", name=op.f("pk_transfer")),
        sqlite_strict=True,
    )
    op.create_index("ix_transfer_from_owner", "transfer", ["bucket", "community", "from_owner"])
    op.create_index("ix_transfer_to_owner", "transfer", ["bucket", "community", "to_owner"])


def _create_passcodes() -> None:
    op.create_table(
        "tap_passcode",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("site", TEXT, nullable=False),
        sa.Column("tap", TEXT, nullable=False),
        sa.Column("argon2id", TEXT, nullable=False),
        sa.Column("set_at", WHOLE, nullable=False),
        sa.Column("set_by", TEXT, nullable=False),
        _site_key("tap_passcode"),
        sa.PrimaryKeyConstraint("bucket", "community", "site", "tap", name=op.f("pk_tap_passcode")),
        sqlite_strict=True,
    )
    op.create_table(
        "passcode_lock",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("wrong", WHOLE, nullable=False),
        sa.Column("locked_until", WHOLE, nullable=False),
        sa.Column("tried_at", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("bucket", "community", "subject", name=op.f("pk_passcode_lock")),
        sqlite_strict=True,
    )
    op.create_table(
        "passcode_try",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("site", TEXT, nullable=False),
        sa.Column("tap", TEXT, nullable=False),
        sa.Column("try", TEXT, nullable=False),
        sa.Column("tried_at", WHOLE, nullable=False),
        sa.Column("tried_by", TEXT, nullable=False),
        sa.Column("outcome", TEXT, nullable=False),
        _site_key("passcode_try"),
        sa.PrimaryKeyConstraint("bucket", "community", "site", "tap", "try", name=op.f("pk_passcode_try")),
        sqlite_strict=True,
    )
