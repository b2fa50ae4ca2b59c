"""Legal holds: what a case and its party rest on is kept until two people let it go."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """A table for it."""
    op.create_table(
        "holds",
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("held_by", sa.Text(), nullable=False),
        sa.Column("held_at", sa.BigInteger(), nullable=False),
        sa.Column("freed_at", sa.BigInteger(), nullable=True),
        sa.Column("freed_by", sa.Text(), nullable=True),
        sa.Column("seconded_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("case_id", "number"),
        sa.CheckConstraint(
            "freed_at IS NULL"
            " OR (freed_by IS NOT NULL AND seconded_by IS NOT NULL AND lower(seconded_by) <> lower(freed_by))",
            name="holds_two_people",
        ),
    )
    standing = sa.text("freed_at IS NULL")
    op.create_index(
        "holds_standing", "holds", ["case_id"], unique=True, sqlite_where=standing, postgresql_where=standing
    )
