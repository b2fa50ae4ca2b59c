"""Exports: what leaves the monitor as a file."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """A table for it."""
    op.create_table(
        "exports",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("recipient_kind", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("legal_basis", sa.Text(), nullable=False),
        sa.Column("proposed_by", sa.Text(), nullable=False),
        sa.Column("proposed_at", sa.BigInteger(), nullable=False),
        sa.Column("answered_by", sa.Text(), nullable=True),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("verdict", sa.Text(), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.CheckConstraint("answered_by IS NULL OR answered_by <> proposed_by", name="exports_other_person"),
        sa.CheckConstraint(
            "verdict IS NULL OR recipient_kind <> 'governmental' OR answered_by IS NOT NULL", name="exports_counsel"
        ),
    )
    waits = sa.text("verdict IS NULL")
    op.create_index("exports_waiting", "exports", ["number"], sqlite_where=waits, postgresql_where=waits)
