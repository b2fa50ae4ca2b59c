"""How fast what is held is joined to others."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """A column for it. Pieces of before lack it, so whoever next owns the books makes them anew from the facts."""
    op.add_column("traits", sa.Column("network_mbit_s", sa.BigInteger(), nullable=True))
    op.execute("UPDATE progress SET pieces_sequence = -1")
