"""What a tenant holds is found without a walk over all that it ever held."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """The index of open allocations goes by tenant first."""
    op.drop_index("allocations_open", "allocations")
    open_ones = sa.text("since IS NOT NULL")
    op.create_index(
        "allocations_open", "allocations", ["tenant_id", "id"], sqlite_where=open_ones, postgresql_where=open_ones
    )
