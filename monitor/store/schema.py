"""The tables, of SQLite and PostgreSQL alike.

Integers that can pass 64 bits (usage, areas, work) are decimal text. What many rows repeat is numbered in `tenants`,
`sources`, `shapes` and `traits`. The books of each partition have ids of their own: the partition stands in the high
bits, so that their rows are a range. A change here needs a migration; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    and_,
    event,
    false,
    text,
)

REVISION = "0015"  # the latest migration

METADATA = MetaData()

# SQLite finds a row fastest by a key that is declared as INTEGER.
NUMBER = BigInteger().with_variant(Integer(), "sqlite")

PARTITION_BITS = 40  # from here on an id is the partition: id = partition << 40 | number


def base_of(partition: int) -> int:
    """What all ids of the books of a partition are greater than, or equal to."""
    return partition << PARTITION_BITS


# How far the books of each partition have read each partition of a topic. `sequence` is the fence: see
# `monitor.store.sql`. `pieces_sequence` moves with it as long as every commit writes the pieces of its facts; where it
# fell behind, a program that knew nothing of pieces has committed, and they are made again from the facts.
PROGRESS = Table(
    "progress",
    METADATA,
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("next_offset", BigInteger, nullable=False),
    Column("clock", BigInteger, nullable=False),
    Column("check_hash", Text, nullable=False),
    Column("books", Integer, nullable=False, server_default="0"),
    Column("pieces_sequence", BigInteger, nullable=False, server_default="-1"),
    PrimaryKeyConstraint("books", "topic", "partition", name="progress_pkey"),
)

# Every accepted fact, 64 to a page, compressed: see `monitor.store.pages`.
FACT_PAGES = Table(
    "fact_pages",
    METADATA,
    Column("page", NUMBER, primary_key=True, autoincrement=False),
    Column("facts", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

# A tenant is in the books of one partition: its owner. `since`: when it was first committed; null: not known.
TENANTS = Table(
    "tenants",
    METADATA,
    Column("id", NUMBER, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False, unique=True),
    Column("since", BigInteger),
)

SOURCES = Table(
    "sources",
    METADATA,
    Column("id", NUMBER, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),  # once in the books of each partition that heard of it
    Column("heard", BigInteger, nullable=False),
    Column("pause", BigInteger, nullable=False, server_default="0"),
    Column("came", BigInteger, nullable=False, server_default="0"),
    Column("lags", Text, nullable=False, server_default="[]"),  # as JSON
)

SHAPES = Table(
    "shapes",
    METADATA,
    Column("id", NUMBER, primary_key=True, autoincrement=False),
    Column("region", Text),
    Column("fabric", Text),
    Column("hardware", Text),
    Column("unit", Text),
)

# What else is said of what is held. Nothing is searched by it, and there are too many to remember: the same traits may
# have several numbers. Where nothing is said, no number is.
TRAITS = Table(
    "traits",
    METADATA,
    Column("id", NUMBER, primary_key=True, autoincrement=False),
    Column("zone", Text),
    Column("job", Text),
    Column("reservation", Text),
    Column("image", Text),
    Column("purpose", Text),
    Column("layer", Text),
    Column("end_customer", Text),
    Column("nodes", Text),  # a list as JSON
    Column("network_mbit_s", BigInteger),
)

# `key64` is a hash of tenant and name: an index on it is small, and equal hashes are told apart by the names.
# From `since` on the columns are null unless something is held.
ALLOCATIONS = Table(
    "allocations",
    METADATA,
    Column("id", NUMBER, primary_key=True, autoincrement=False),
    Column("key64", BigInteger, nullable=False),
    Column("tenant_id", ForeignKey("tenants.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("head", BigInteger, nullable=False),
    Column("last_time", BigInteger, nullable=False),
    Column("shape_id", ForeignKey("shapes.id"), nullable=False),
    Column("within", Text),
    Column("counted", Boolean, nullable=False),
    Column("prints", LargeBinary, nullable=False),
    Column("since", BigInteger),
    Column("held", BigInteger),
    Column("evidence", BigInteger),
    Column("source_id", ForeignKey("sources.id")),
    Column("lease_ms", BigInteger),
    Column("measured_until", BigInteger),
    Column("traits_id", BigInteger),
    Column("counted_from", BigInteger),
)
Index("allocations_key64", ALLOCATIONS.c.key64)
Index("allocations_tenant", ALLOCATIONS.c.tenant_id)
# Conditions of indexes: a query must use the same expression, or the database will not use the index.
OPEN = ALLOCATIONS.c.since.is_not(None)
CLOSED = ALLOCATIONS.c.since.is_(None)
INNER = ALLOCATIONS.c.within.is_not(None)
COUNTED_INNER = and_(INNER, ALLOCATIONS.c.counted)
Index("allocations_open", ALLOCATIONS.c.tenant_id, ALLOCATIONS.c.id, sqlite_where=OPEN, postgresql_where=OPEN)
Index(
    "allocations_closed", ALLOCATIONS.c.shape_id, ALLOCATIONS.c.last_time, sqlite_where=CLOSED, postgresql_where=CLOSED
)
Index("allocations_within", ALLOCATIONS.c.tenant_id, ALLOCATIONS.c.within, sqlite_where=INNER, postgresql_where=INNER)
Index("allocations_inner", ALLOCATIONS.c.id, sqlite_where=COUNTED_INNER, postgresql_where=COUNTED_INNER)

# The latest fact of each chain that is about no allocation:
# (tenant, ""), ("", "region/…"), ("", "source/…"), ("", "party/…").
CHAINS = Table(
    "chains",
    METADATA,
    Column("tenant", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("head", BigInteger, nullable=False),
    Column("partition", Integer, nullable=False, server_default="0"),
    PrimaryKeyConstraint("partition", "tenant", "subject", name="chains_pkey"),
)

USAGE = Table(
    "usage",
    METADATA,
    Column("tenant_id", ForeignKey("tenants.id"), primary_key=True),
    Column("shape_id", ForeignKey("shapes.id"), primary_key=True),
    Column("usage_class", Text, primary_key=True),
    Column("hour", Integer, primary_key=True),
    Column("rate", Text, nullable=False),
    Column("area", Text, nullable=False),
    sqlite_with_rowid=False,
)

MEASURED = Table(
    "measured",
    METADATA,
    Column("tenant_id", ForeignKey("tenants.id"), primary_key=True),
    Column("shape_id", ForeignKey("shapes.id"), primary_key=True),
    Column("hour", Integer, primary_key=True),
    Column("usage", Text, nullable=False),
    Column("work", Text, nullable=False),
    Column("plain", Text, nullable=False),
    sqlite_with_rowid=False,
)

# What allocations that count have held and no longer hold, and where the provider measured it: of one allocation no two
# rows overlap. `held` and `covered` are thousandths of a unit. The key begins with the allocation, not with the tenant:
# most rows then come at the end of the table, where they cost least. References are not looked up, as on PostgreSQL
# anywhere: the one writer of the books gives these numbers out in the same transaction.
PIECES = Table(
    "pieces",
    METADATA,
    Column("allocation_id", BigInteger, primary_key=True, autoincrement=False),
    Column("start_time", BigInteger, primary_key=True, autoincrement=False),
    Column("end_time", BigInteger, nullable=False),
    Column("shape_id", BigInteger, nullable=False),
    Column("held", BigInteger, nullable=False),
    Column("certain", Boolean, nullable=False),
    Column("traits_id", BigInteger),
    sqlite_with_rowid=False,
)

MEASUREMENTS = Table(
    "measurements",
    METADATA,
    Column("allocation_id", BigInteger, primary_key=True, autoincrement=False),
    Column("start_time", BigInteger, primary_key=True, autoincrement=False),
    Column("end_time", BigInteger, nullable=False),
    Column("shape_id", BigInteger, nullable=False),
    Column("covered", BigInteger, nullable=False),
    Column("active_ppm", BigInteger, nullable=False),
    Column("clock_khz", BigInteger),
    sqlite_with_rowid=False,
)

RESTATEMENTS = Table(
    "restatements",
    METADATA,
    Column("id", NUMBER, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("allocation", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("fact_id", Text, nullable=False),
    Column("fact_time", BigInteger, nullable=False),
    Column("clock", BigInteger, nullable=False),
    Column("certain_before", Text, nullable=False),
    Column("certain_after", Text, nullable=False),
    Column("open_before", Text, nullable=False),
    Column("open_after", Text, nullable=False),
)
Index("restatements_tenant", RESTATEMENTS.c.tenant)

CONSERVATION = Table(
    "conservation",
    METADATA,
    Column("id", NUMBER, primary_key=True),
    Column("region", Text, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("hardware", Text, nullable=False),
    Column("capacity", Text, nullable=False),
    Column("attributed", Text, nullable=False),
    Column("unattributed", Text, nullable=False),
    Column("idle", Text, nullable=False),
    Column("surplus", Text, nullable=False),
    Column("allocations", Text, nullable=False),
)
Index("conservation_region", CONSERVATION.c.region, CONSERVATION.c.time)

# `partition` is that of the topic. `state`: waiting, replayed or dropped. `published`: in the topic of dead letters.
DEAD_LETTERS = Table(
    "dead_letters",
    METADATA,
    Column("id", NUMBER, primary_key=True),
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("record_offset", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("sentence", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("state", Text, nullable=False, server_default="waiting"),
    Column("published", Boolean, nullable=False, server_default=false()),
    Column("key", LargeBinary),
)
UNPUBLISHED = DEAD_LETTERS.c.published.is_(False)
LETTER_WAITS = DEAD_LETTERS.c.state == text("'waiting'")
Index("dead_letters_waiting", DEAD_LETTERS.c.id, sqlite_where=LETTER_WAITS, postgresql_where=LETTER_WAITS)
Index("dead_letters_unpublished", DEAD_LETTERS.c.id, sqlite_where=UNPUBLISHED, postgresql_where=UNPUBLISHED)

FLAGS = Table(
    "flags",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("rule", Text, nullable=False),
    Column("tenant", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("level", Text, nullable=False),
    Column("raised_at", BigInteger, nullable=False),
    Column("told_at", BigInteger, nullable=False),
    Column("lower_since", BigInteger),
    Column("finding", Text, nullable=False),
)
Index("flags_tenant", FLAGS.c.tenant)

FLAG_HISTORY = Table(
    "flag_history",
    METADATA,
    Column("id", NUMBER, primary_key=True),
    Column("flag", ForeignKey("flags.id"), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("act", Text, nullable=False),
    Column("level", Text, nullable=False),
    Column("reason", Text, nullable=False),
)
Index("flag_history_flag", FLAG_HISTORY.c.flag)

# `partition`: whose books wrote it; null: a person's decision, which concerns all.
JOURNAL = Table(
    "journal",
    METADATA,
    Column("number", NUMBER, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("partition", Integer),
)
Index("journal_kind", JOURNAL.c.kind, JOURNAL.c.partition, JOURNAL.c.number)

# Intervals in which the books of a partition could not see: a name in them stays theirs, so that an open one can end.
BLIND = Table(
    "blind",
    METADATA,
    Column("partition", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("source", Text),
    Column("topic", Text),
    Column("topic_partition", Integer),
    Column("start_time", BigInteger, nullable=False),
    Column("end_time", BigInteger),
    Column("sentence", Text, nullable=False),
    Column("found_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("partition", "name"),
)

# What people are told of flags, written in the transaction that changes the flag. `body`: see `monitor.core.notices`.
NOTICES = Table(
    "notices",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("flag", ForeignKey("flags.id"), nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
)
Index("notices_flag", NOTICES.c.flag)

# Whom a notice is for, and in which message it is; null: in none yet.
DELIVERIES = Table(
    "deliveries",
    METADATA,
    Column("notice", ForeignKey("notices.id"), primary_key=True),
    Column("sink", Text, primary_key=True),
    Column("message", Text),
)
WAITS = DELIVERIES.c.message.is_(None)
Index("deliveries_waiting", DELIVERIES.c.sink, sqlite_where=WAITS, postgresql_where=WAITS)
Index("deliveries_message", DELIVERIES.c.message)

# What a sink gets at once: its notices stay the same however often it is sent. `claimed_until`: until then a process
# is sending it. `arrived_at`: when the receiver confirmed it.
MESSAGES = Table(
    "messages",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("sink", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("urgency", Text, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("next_try_at", BigInteger, nullable=False),
    Column("claimed_until", BigInteger, nullable=False),
    Column("arrived_at", BigInteger),
    Column("problem", Text, nullable=False),
)
UNDELIVERED = MESSAGES.c.arrived_at.is_(None)
Index(
    "messages_undelivered",
    MESSAGES.c.sink,
    MESSAGES.c.subject,
    sqlite_where=UNDELIVERED,
    postgresql_where=UNDELIVERED,
)
Index("messages_made", MESSAGES.c.sink, MESSAGES.c.made_at)

# -- the audit, and what is personal ---------------------------------------------------------------------------------

# What people did: see `monitor.core.audit`. Rows are only ever added, at the end.
AUDIT = Table(
    "audit",
    METADATA,
    Column("number", NUMBER, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False),
)
Index("audit_actor", AUDIT.c.actor, AUDIT.c.number)
Index("audit_subject", AUDIT.c.subject, AUDIT.c.number)

# What is personal: everywhere else its hash stands. Erased: the value is null.
PERSONAL = Table(
    "personal",
    METADATA,
    Column("hash", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("value", Text),
    Column("erased_at", BigInteger),
)

# One row, made with the table: what the hashes of this store are salted with.
PERSONAL_SALT = Table("personal_salt", METADATA, Column("salt", Text, primary_key=True))
SALT_BYTES = 32

# SQLite's INSERT OR REPLACE removes a row without asking the trigger on deletion: hence the third one.
AUDIT_TRIGGERS = {
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
for _dialect, _statements in AUDIT_TRIGGERS.items():
    for _statement in _statements:
        _ddl = DDL(_statement)  # type: ignore[no-untyped-call]
        event.listen(AUDIT, "after_create", _ddl.execute_if(dialect=_dialect))

# -- people who use the console ------------------------------------------------------------------------------------

# `password`: as argon2 writes it; null: only a trusted proxy lets them in. Nobody is ever deleted but by erasure, which
# puts what stands for them in the place of their name in `PEOPLE`: who decided what is known by these names.
USERS = Table(
    "users",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("password", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("disabled_at", BigInteger),
)

# `hash`: the SHA-256 of what the browser has.
SESSIONS = Table(
    "sessions",
    METADATA,
    Column("hash", Text, primary_key=True),
    Column("user", ForeignKey("users.name"), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
)
Index("sessions_user", SESSIONS.c.user)

# What programs sign in with. `scopes`: permissions, with spaces between them.
TOKENS = Table(
    "tokens",
    METADATA,
    Column("hash", Text, primary_key=True),
    Column("user", ForeignKey("users.name"), nullable=False),
    Column("label", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("used_at", BigInteger),
)
Index("tokens_user", TOKENS.c.user)

# Tries to sign in that failed. `origin`: the SHA-256 of an account's name, or of an address, which may be personal.
FAILED_SIGN_INS = Table(
    "failed_sign_ins",
    METADATA,
    Column("origin", Text, primary_key=True),
    Column("tries", BigInteger, nullable=False),
    Column("latest_at", BigInteger, nullable=False),
)

# -- cases ---------------------------------------------------------------------------------------------------------

# Cases: the fold of their events, of which none is ever changed but for the name of somebody who was erased. Two acts
# of one case with the same number cannot be: whoever comes second is told. See `monitor.core.cases`.
CASE_EVENTS = Table(
    "case_events",
    METADATA,
    Column("case_id", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("act", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("body", Text, nullable=False),
)
Index("case_events_act", CASE_EVENTS.c.act, CASE_EVENTS.c.at)

# The latest state of each case, for the queue, written with its events. `rank`: 0 of the highest level; `due_order` and
# `compute_order` are what the queue is ordered by next. What takes two people is not decided by one, nor by one twice.
TWO_PEOPLE = (
    "state <> 'decided' OR NOT two_people"
    " OR (decided_by IS NOT NULL AND seconded_by IS NOT NULL AND lower(seconded_by) <> lower(decided_by))"
)
OTHER_REVIEWER = "reviewed_by IS NULL OR decided_by IS NULL OR lower(reviewed_by) <> lower(decided_by)"
CASES = Table(
    "cases",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("level", Text, nullable=False),
    Column("rank", Integer, nullable=False),
    Column("due_order", BigInteger, nullable=False),
    Column("compute_order", BigInteger, nullable=False),
    Column("two_people", Boolean, nullable=False),
    Column("assigned", Text, nullable=False),
    Column("claimed_by", Text, nullable=False),
    Column("claimed_until", BigInteger, nullable=False),
    Column("senior", Boolean, nullable=False),
    Column("snoozed_until", BigInteger, nullable=False),
    Column("suppressed_until", BigInteger, nullable=False),
    Column("due_at", BigInteger),
    Column("proposed_by", Text),
    Column("decided_at", BigInteger),
    Column("decided_by", Text),
    Column("seconded_by", Text),
    Column("outcome", Text),
    Column("expires_at", BigInteger),
    Column("review", Text),  # waiting, agreed or disagreed; null: none
    Column("reviewed_by", Text),
    CheckConstraint(TWO_PEOPLE, name="cases_two_people"),
    CheckConstraint(OTHER_REVIEWER, name="cases_other_reviewer"),
)
CASE_LIVES = CASES.c.state != text("'decided'")
AUTHORISED_UNTIL = CASES.c.expires_at.is_not(None)
REVIEW_WAITS = CASES.c.review == text("'waiting'")
Index(
    "cases_queue",
    CASES.c.rank,
    CASES.c.due_order,
    CASES.c.compute_order,
    CASES.c.id,
    sqlite_where=CASE_LIVES,
    postgresql_where=CASE_LIVES,
)
# A party has one case at a time.
Index("cases_one_live", CASES.c.subject, unique=True, sqlite_where=CASE_LIVES, postgresql_where=CASE_LIVES)
Index("cases_subject", CASES.c.subject)
Index("cases_expiry", CASES.c.expires_at, sqlite_where=AUTHORISED_UNTIL, postgresql_where=AUTHORISED_UNTIL)
Index("cases_review", CASES.c.id, sqlite_where=REVIEW_WAITS, postgresql_where=REVIEW_WAITS)

# The flags of cases, as they are known there. `home`: the case that a flag is looked at in now, or was last.
CASE_FLAGS = Table(
    "case_flags",
    METADATA,
    Column("case_id", Text, primary_key=True),
    Column("flag", Text, primary_key=True),
    Column("rule", Text, nullable=False),
    Column("level", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("home", Boolean, nullable=False),
    Column("suppression", Text),  # under which nobody is told of it
)
HOME = CASE_FLAGS.c.home
SUPPRESSED = CASE_FLAGS.c.suppression.is_not(None)
Index("case_flags_home", CASE_FLAGS.c.flag, unique=True, sqlite_where=HOME, postgresql_where=HOME)
Index("case_flags_suppressed", CASE_FLAGS.c.flag, sqlite_where=SUPPRESSED, postgresql_where=SUPPRESSED)

# What somebody saw of a case who then decided about it, as canonical JSON: see `monitor.core.sight`. Never changed.
CASE_SIGHTS = Table(
    "case_sights",
    METADATA,
    Column("case_id", Text, primary_key=True),
    Column("hash", Text, primary_key=True),
    Column("body", Text, nullable=False),
)

# What takes two people: what one proposes another one answers. The store refuses an answer of the same person.
# `verdict`: approved, refused, withdrawn or overtaken; null: it waits.
OTHER_PERSON = "answered_by IS NULL OR lower(answered_by) <> lower(proposed_by)"
ANSWERED = "verdict IS NULL OR verdict NOT IN ('approved', 'refused') OR answered_by IS NOT NULL"
APPROVALS = Table(
    "approvals",
    METADATA,
    Column("case_id", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),  # of the event that proposed it
    Column("kind", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("proposed_by", Text, nullable=False),
    Column("proposed_at", BigInteger, nullable=False),
    Column("answered_by", Text),
    Column("answered_at", BigInteger),
    Column("verdict", Text),
    CheckConstraint(OTHER_PERSON, name="approvals_other_person"),
    CheckConstraint(ANSWERED, name="approvals_answered"),
)
UNANSWERED = APPROVALS.c.verdict.is_(None)
Index("approvals_waiting", APPROVALS.c.proposed_at, sqlite_where=UNANSWERED, postgresql_where=UNANSWERED)

# Decisions that take two people and are about no case: of policies, and of hits on lists. People stand here as hashes.
PROPOSALS = Table(
    "proposals",
    METADATA,
    Column("number", NUMBER, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("proposed_by", Text, nullable=False),
    Column("proposed_at", BigInteger, nullable=False),
    Column("answered_by", Text),
    Column("answered_at", BigInteger),
    Column("verdict", Text),
    Column("why", Text),
    CheckConstraint("answered_by IS NULL OR answered_by <> proposed_by", name="proposals_other_person"),
    CheckConstraint(ANSWERED, name="proposals_answered"),
)
PROPOSAL_WAITS = PROPOSALS.c.verdict.is_(None)
Index(
    "proposals_waiting",
    PROPOSALS.c.kind,
    PROPOSALS.c.subject,
    unique=True,
    sqlite_where=PROPOSAL_WAITS,
    postgresql_where=PROPOSAL_WAITS,
)

# What nobody is told of for a while, as two people saw it: see `monitor.core.suppression`.
SUPPRESSIONS = Table(
    "suppressions",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("case_id", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("saw", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("proposed_by", Text, nullable=False),
    Column("approved_by", Text, nullable=False),
    Column("ended_at", BigInteger),
    Column("ended", Text),  # why
    CheckConstraint("lower(approved_by) <> lower(proposed_by)", name="suppressions_two_people"),
)
UNENDED = SUPPRESSIONS.c.ended_at.is_(None)
Index(
    "suppressions_holding",
    SUPPRESSIONS.c.subject,
    SUPPRESSIONS.c.rule,
    unique=True,
    sqlite_where=UNENDED,
    postgresql_where=UNENDED,
)

# -- what leaves the monitor ---------------------------------------------------------------------------------------

# Exports: `proposed_by` and `answered_by` are hashes of people. `verdict`: released or refused; null: it waits for
# counsel, without whom nothing is released to a government.
EXPORT_OTHER_PERSON = "answered_by IS NULL OR answered_by <> proposed_by"
EXPORT_COUNSEL = "verdict IS NULL OR recipient_kind <> 'governmental' OR answered_by IS NOT NULL"
EXPORTS = Table(
    "exports",
    METADATA,
    Column("number", NUMBER, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("format", Text, nullable=False),
    Column("template", Text, nullable=False),
    Column("recipient_kind", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("legal_basis", Text, nullable=False),
    Column("proposed_by", Text, nullable=False),
    Column("proposed_at", BigInteger, nullable=False),
    Column("answered_by", Text),
    Column("answered_at", BigInteger),
    Column("verdict", Text),
    Column("why", Text, nullable=False),
    CheckConstraint(EXPORT_OTHER_PERSON, name="exports_other_person"),
    CheckConstraint(EXPORT_COUNSEL, name="exports_counsel"),
)
EXPORT_WAITS = EXPORTS.c.verdict.is_(None)
Index("exports_waiting", EXPORTS.c.number, sqlite_where=EXPORT_WAITS, postgresql_where=EXPORT_WAITS)

# Legal holds: until two people free a case, what it and its party rest on is kept. `freed_by` proposed it.
FREED_BY_TWO = (
    "freed_at IS NULL OR (freed_by IS NOT NULL AND seconded_by IS NOT NULL AND lower(seconded_by) <> lower(freed_by))"
)
HOLDS = Table(
    "holds",
    METADATA,
    Column("case_id", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),  # of the event that began it
    Column("held_by", Text, nullable=False),
    Column("held_at", BigInteger, nullable=False),
    Column("freed_at", BigInteger),
    Column("freed_by", Text),
    Column("seconded_by", Text),
    CheckConstraint(FREED_BY_TWO, name="holds_two_people"),
)
UNFREED = HOLDS.c.freed_at.is_(None)
Index("holds_standing", HOLDS.c.case_id, unique=True, sqlite_where=UNFREED, postgresql_where=UNFREED)

# Where people are named as they are; everywhere else a hash stands for them.
PEOPLE = (
    CASE_EVENTS.c.actor,
    CASES.c.assigned,
    CASES.c.claimed_by,
    CASES.c.proposed_by,
    CASES.c.decided_by,
    CASES.c.seconded_by,
    CASES.c.reviewed_by,
    APPROVALS.c.proposed_by,
    APPROVALS.c.answered_by,
    SUPPRESSIONS.c.proposed_by,
    SUPPRESSIONS.c.approved_by,
    HOLDS.c.held_by,
    HOLDS.c.freed_by,
    HOLDS.c.seconded_by,
)
# Where what people said may name others, as JSON.
SAID = (CASE_EVENTS.c.body, APPROVALS.c.body)
