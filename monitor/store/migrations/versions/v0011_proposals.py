"""Proposals: decisions about policies and hits on lists that take two people."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """A table for them. What was decided before stays in the journal."""
    op.create_table(
        "proposals",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("proposed_by", sa.Text(), nullable=False),
        sa.Column("proposed_at", sa.BigInteger(), nullable=False),
        sa.Column("answered_by", sa.Text(), nullable=True),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("verdict", sa.Text(), nullable=True),
        sa.Column("why", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("number"),
        sa.CheckConstraint("answered_by IS NULL OR answered_by <> proposed_by", name="proposals_other_person"),
        sa.CheckConstraint(
            "verdict IS NULL OR verdict NOT IN ('approved', 'refused') OR answered_by IS NOT NULL",
            name="proposals_answered",
        ),
    )
    op.create_index(
        "proposals_waiting",
        "proposals",
        ["kind", "subject"],
        unique=True,
        sqlite_where=sa.text("verdict IS NULL"),
        postgresql_where=sa.text("verdict IS NULL"),
    )
