"""Cases: what people do about flags, their decisions, and what takes two of them."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Tables for it. Flags that are there and stand are gathered by the next roll-up."""
    _cases()
    _two_people()


def _cases() -> None:
    op.create_table(
        "case_events",
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("case_id", "number"),
    )
    op.create_index("case_events_act", "case_events", ["act", "at"])
    op.create_table(
        "cases",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("due_order", sa.BigInteger(), nullable=False),
        sa.Column("compute_order", sa.BigInteger(), nullable=False),
        sa.Column("two_people", sa.Boolean(), nullable=False),
        sa.Column("assigned", sa.Text(), nullable=False),
        sa.Column("claimed_by", sa.Text(), nullable=False),
        sa.Column("claimed_until", sa.BigInteger(), nullable=False),
        sa.Column("senior", sa.Boolean(), nullable=False),
        sa.Column("snoozed_until", sa.BigInteger(), nullable=False),
        sa.Column("suppressed_until", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("proposed_by", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("seconded_by", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("review", sa.Text(), nullable=True),
        sa.Column("reviewed_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.CheckConstraint(
            "state <> 'decided' OR NOT two_people"
            " OR (decided_by IS NOT NULL AND seconded_by IS NOT NULL AND lower(seconded_by) <> lower(decided_by))",
            name="cases_two_people",
        ),
        sa.CheckConstraint(
            "reviewed_by IS NULL OR decided_by IS NULL OR lower(reviewed_by) <> lower(decided_by)",
            name="cases_other_reviewer",
        ),
    )
    _partial("cases_queue", "cases", ["rank", "due_order", "compute_order", "id"], "state != 'decided'")
    _partial("cases_one_live", "cases", ["subject"], "state != 'decided'", unique=True)
    op.create_index("cases_subject", "cases", ["subject"])
    _partial("cases_expiry", "cases", ["expires_at"], "expires_at IS NOT NULL")
    _partial("cases_review", "cases", ["id"], "review = 'waiting'")
    op.create_table(
        "case_flags",
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("flag", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("home", sa.Boolean(), nullable=False),
        sa.Column("suppression", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("case_id", "flag"),
    )
    _partial("case_flags_home", "case_flags", ["flag"], "home", unique=True)
    _partial("case_flags_suppressed", "case_flags", ["flag"], "suppression IS NOT NULL")


def _two_people() -> None:
    op.create_table(
        "approvals",
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("proposed_by", sa.Text(), nullable=False),
        sa.Column("proposed_at", sa.BigInteger(), nullable=False),
        sa.Column("answered_by", sa.Text(), nullable=True),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("verdict", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("case_id", "number"),
        sa.CheckConstraint(
            "answered_by IS NULL OR lower(answered_by) <> lower(proposed_by)", name="approvals_other_person"
        ),
        sa.CheckConstraint(
            "verdict IS NULL OR verdict NOT IN ('approved', 'refused') OR answered_by IS NOT NULL",
            name="approvals_answered",
        ),
    )
    _partial("approvals_waiting", "approvals", ["proposed_at"], "verdict IS NULL")
    op.create_table(
        "suppressions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("saw", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("proposed_by", sa.Text(), nullable=False),
        sa.Column("approved_by", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("ended", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.CheckConstraint("lower(approved_by) <> lower(proposed_by)", name="suppressions_two_people"),
    )
    _partial("suppressions_holding", "suppressions", ["subject", "rule"], "ended_at IS NULL", unique=True)


def _partial(name: str, table: str, columns: list[str], where: str, unique: bool = False) -> None:
    op.create_index(name, table, columns, unique=unique, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
