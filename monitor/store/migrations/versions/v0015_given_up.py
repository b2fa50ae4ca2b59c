"""Inner layers count from when the reservation that they lie within was given up: the column, and the way to them."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Only add: workers of before go on beside it."""
    op.add_column("allocations", sa.Column("counted_from", sa.BigInteger(), nullable=True))
    inner = sa.text("within IS NOT NULL")
    op.create_index(
        "allocations_within", "allocations", ["tenant_id", "within"], sqlite_where=inner, postgresql_where=inner
    )
