"""What people did, as a chain that is only added to; what is personal, so that it can be erased."""

import sqlalchemy as sa
from alembic import op

from monitor.clock import random_hex

revision = "0007"
down_revision = "0006"

SALT_BYTES = 32
TRIGGERS = {
    "sqlite": (
        "CREATE TRIGGER audit_stays_as_it_is BEFORE UPDATE ON audit "
        "BEGIN SELECT RAISE(ABORT, 'rows of the audit are never changed'); END",
        "CREATE TRIGGER audit_stays BEFORE DELETE ON audit "
        "BEGIN SELECT RAISE(ABORT, 'rows of the audit are never removed'); END",
        "CREATE TRIGGER audit_grows_at_its_end BEFORE INSERT ON audit "
        "WHEN NEW.number <> (SELECT coalesce(max(number), 0) + 1 FROM audit) "
        "BEGIN SELECT RAISE(ABORT, 'rows of the audit are added at its end'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'rows of the audit are never changed or removed'; END $$",
        "CREATE TRIGGER audit_stays_as_it_is BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()",
        "ALTER TABLE audit ENABLE ALWAYS TRIGGER audit_stays_as_it_is",
    ),
}


def upgrade() -> None:
    """Tables for it. What people did before is in the journal; the chain begins with what they do from now on."""
    op.create_table(
        "audit",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, autoincrement=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("previous", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index("audit_actor", "audit", ["actor", "number"])
    op.create_index("audit_subject", "audit", ["subject", "number"])
    for statement in TRIGGERS[op.get_bind().dialect.name]:
        op.execute(statement)
    op.create_table(
        "personal",
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("erased_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("hash"),
    )
    salt = op.create_table(
        "personal_salt", sa.Column("salt", sa.Text(), nullable=False), sa.PrimaryKeyConstraint("salt")
    )
    op.bulk_insert(salt, [{"salt": random_hex(SALT_BYTES)}])
