"""Personal values of facts move to the table of what is personal; facts keep tokens."""

from alembic import op

from monitor.store.personal import conceal_pages

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Rewrite the pages of facts that have profiles."""
    conceal_pages(op.get_bind())
