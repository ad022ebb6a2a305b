"""Owners' records and the history of their changes, invitations, and clients that can be stopped."""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
TEXT = sa.Text()
OWNER_TEXTS = (
    *("mail", "phone", "language", "address_lines", "postal_code", "city", "country"),
    *("payment_provider", "payment_token"),
)


def upgrade() -> None:
    """Widen the owner's record, count a client's secrets, and create the new tables."""
    for name in OWNER_TEXTS:
        op.add_column("owner", sa.Column(name, TEXT))
    for name in ("prepaid", "changed_at"):
        op.add_column("owner", sa.Column(name, WHOLE))
    for name in ("generation", "stopped_at", "revoked_at"):
        op.add_column("client", sa.Column(name, WHOLE))
    op.create_index("ix_client_stopped_at", "client", ["stopped_at"])
    op.create_index("ix_client_community", "client", ["community", "client_id"])
    op.create_table(
        "owner_change",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("change", TEXT, nullable=False),
        sa.Column("changed_at", WHOLE, nullable=False),
        sa.Column("changed_by", TEXT, nullable=False),
        sa.Column("role", TEXT, nullable=False),
        sa.Column("members", TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "owner"],
            ["owner.bucket", "owner.community", "owner.owner"],
            name=op.f("fk_owner_change_owner_bucket_community_owner"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "owner", "change", name=op.f("pk_owner_change")),
        sqlite_strict=True,
    )
    op.create_table(
        "invitation",
        sa.Column("code_hmac", TEXT, nullable=False),
        sa.Column("invitation", TEXT, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("owner", TEXT, nullable=True),
        sa.Column("uses_max", WHOLE, nullable=False),
        sa.Column("uses", WHOLE, nullable=False),
        sa.Column("made_by", TEXT, nullable=False),
        sa.Column("created_at", WHOLE, nullable=False),
        sa.Column("expires_at", WHOLE, nullable=False),
        sa.Column("withdrawn_at", WHOLE, nullable=True),
        sa.CheckConstraint("uses >= 0 AND uses <= uses_max", name=op.f("ck_invitation_used_within_its_limit")),
        sa.PrimaryKeyConstraint("code_hmac", name=op.f("pk_invitation")),
        sa.UniqueConstraint("community", "invitation", name=op.f("uq_invitation_community_invitation")),
        sqlite_strict=True,
    )
