"""What allocations have held, and what else was said of it."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Tables for it. Of the facts that are there, whoever next owns the books makes it: `pieces_sequence` tells."""
    op.create_table(
        "traits",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("zone", sa.Text(), nullable=True),
        sa.Column("job", sa.Text(), nullable=True),
        sa.Column("reservation", sa.Text(), nullable=True),
        sa.Column("image", sa.Text(), nullable=True),
        sa.Column("purpose", sa.Text(), nullable=True),
        sa.Column("layer", sa.Text(), nullable=True),
        sa.Column("end_customer", sa.Text(), nullable=True),
        sa.Column("nodes", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.add_column("allocations", sa.Column("traits_id", sa.BigInteger(), nullable=True))
    _by_allocation(
        "pieces",
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.Column("certain", sa.Boolean(), nullable=False),
        sa.Column("traits_id", sa.BigInteger(), nullable=True),
    )
    _by_allocation(
        "measurements",
        sa.Column("covered", sa.BigInteger(), nullable=False),
        sa.Column("active_ppm", sa.BigInteger(), nullable=False),
        sa.Column("clock_khz", sa.BigInteger(), nullable=True),
    )
    op.add_column("progress", sa.Column("pieces_sequence", sa.BigInteger(), nullable=False, server_default="-1"))


def _by_allocation(name: str, *columns: sa.Column[Any]) -> None:
    op.create_table(
        name,
        sa.Column("allocation_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("start_time", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("end_time", sa.BigInteger(), nullable=False),
        sa.Column("shape_id", sa.BigInteger(), nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("allocation_id", "start_time"),
        sqlite_with_rowid=False,
    )
