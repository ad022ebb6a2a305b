"""How the grid is wired, and what the watch over it found."""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
TEXT = sa.Text()


def upgrade() -> None:
    """Make its tables."""
    _ = op, sa
