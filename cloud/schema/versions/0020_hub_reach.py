"""How far an upper system's credentials reach."""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
TEXT = sa.Text()


def upgrade() -> None:
    """Make its tables."""
    _ = op, sa
