"""What somebody saw of a case who then decided about it."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """A table for it. Of decisions before it nothing was kept."""
    op.create_table(
        "case_sights",
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("case_id", "hash"),
    )
