"""Everything that the first store needs."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def number() -> sa.types.TypeEngine[int]:
    """A row's number: what SQLite finds a row fastest by."""
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make all tables."""
    op.create_table(
        "chains",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("head", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "subject"),
    )
    op.create_table(
        "conservation",
        sa.Column("id", number(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("hardware", sa.Text(), nullable=False),
        sa.Column("capacity", sa.Text(), nullable=False),
        sa.Column("attributed", sa.Text(), nullable=False),
        sa.Column("unattributed", sa.Text(), nullable=False),
        sa.Column("idle", sa.Text(), nullable=False),
        sa.Column("surplus", sa.Text(), nullable=False),
        sa.Column("allocations", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("conservation_region", "conservation", ["region", "time"], unique=False)
    op.create_table(
        "dead_letters",
        sa.Column("id", number(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("record_offset", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "fact_pages",
        sa.Column("page", number(), autoincrement=False, nullable=False),
        sa.Column("facts", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("page"),
    )
    op.create_table(
        "flags",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("raised_at", sa.BigInteger(), nullable=False),
        sa.Column("told_at", sa.BigInteger(), nullable=False),
        sa.Column("lower_since", sa.BigInteger(), nullable=True),
        sa.Column("finding", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("flags_tenant", "flags", ["tenant"], unique=False)
    op.create_table(
        "journal",
        sa.Column("number", number(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_table(
        "progress",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        sa.Column("clock", sa.BigInteger(), nullable=False),
        sa.Column("check_hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("topic", "partition"),
    )
    op.create_table(
        "restatements",
        sa.Column("id", number(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("allocation", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("fact_id", sa.Text(), nullable=False),
        sa.Column("fact_time", sa.BigInteger(), nullable=False),
        sa.Column("clock", sa.BigInteger(), nullable=False),
        sa.Column("certain_before", sa.Text(), nullable=False),
        sa.Column("certain_after", sa.Text(), nullable=False),
        sa.Column("open_before", sa.Text(), nullable=False),
        sa.Column("open_after", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("restatements_tenant", "restatements", ["tenant"], unique=False)
    op.create_table(
        "shapes",
        sa.Column("id", number(), autoincrement=False, nullable=False),
        sa.Column("region", sa.Text(), nullable=True),
        sa.Column("fabric", sa.Text(), nullable=True),
        sa.Column("hardware", sa.Text(), nullable=True),
        sa.Column("unit", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "sources",
        sa.Column("id", number(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("heard", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "tenants",
        sa.Column("id", number(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "allocations",
        sa.Column("id", number(), autoincrement=False, nullable=False),
        sa.Column("key64", sa.BigInteger(), nullable=False),
        sa.Column("tenant_id", number(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("head", sa.BigInteger(), nullable=False),
        sa.Column("last_time", sa.BigInteger(), nullable=False),
        sa.Column("shape_id", number(), nullable=False),
        sa.Column("within", sa.Text(), nullable=True),
        sa.Column("counted", sa.Boolean(), nullable=False),
        sa.Column("prints", sa.LargeBinary(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=True),
        sa.Column("held", sa.BigInteger(), nullable=True),
        sa.Column("evidence", sa.BigInteger(), nullable=True),
        sa.Column("source_id", number(), nullable=True),
        sa.Column("lease_ms", sa.BigInteger(), nullable=True),
        sa.Column("measured_until", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["shape_id"],
            ["shapes.id"],
        ),
        sa.ForeignKeyConstraint(
            ["source_id"],
            ["sources.id"],
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["tenants.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "allocations_closed",
        "allocations",
        ["shape_id", "last_time"],
        unique=False,
        sqlite_where=sa.text("since IS NULL"),
        postgresql_where=sa.text("since IS NULL"),
    )
    op.create_index(
        "allocations_inner",
        "allocations",
        ["id"],
        unique=False,
        sqlite_where=sa.text("within IS NOT NULL AND counted = 1"),
        postgresql_where=sa.text("within IS NOT NULL AND counted"),
    )
    op.create_index("allocations_key64", "allocations", ["key64"], unique=False)
    op.create_index(
        "allocations_open",
        "allocations",
        ["id"],
        unique=False,
        sqlite_where=sa.text("since IS NOT NULL"),
        postgresql_where=sa.text("since IS NOT NULL"),
    )
    op.create_index("allocations_tenant", "allocations", ["tenant_id"], unique=False)
    op.create_table(
        "flag_history",
        sa.Column("id", number(), nullable=False),
        sa.Column("flag", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["flag"],
            ["flags.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("flag_history_flag", "flag_history", ["flag"], unique=False)
    op.create_table(
        "measured",
        sa.Column("tenant_id", number(), nullable=False),
        sa.Column("shape_id", number(), nullable=False),
        sa.Column("hour", sa.Integer(), nullable=False),
        sa.Column("usage", sa.Text(), nullable=False),
        sa.Column("work", sa.Text(), nullable=False),
        sa.Column("plain", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["shape_id"],
            ["shapes.id"],
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["tenants.id"],
        ),
        sa.PrimaryKeyConstraint("tenant_id", "shape_id", "hour"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "usage",
        sa.Column("tenant_id", number(), nullable=False),
        sa.Column("shape_id", number(), nullable=False),
        sa.Column("usage_class", sa.Text(), nullable=False),
        sa.Column("hour", sa.Integer(), nullable=False),
        sa.Column("rate", sa.Text(), nullable=False),
        sa.Column("area", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["shape_id"],
            ["shapes.id"],
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["tenants.id"],
        ),
        sa.PrimaryKeyConstraint("tenant_id", "shape_id", "usage_class", "hour"),
        sqlite_with_rowid=False,
    )
