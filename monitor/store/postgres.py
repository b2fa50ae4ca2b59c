"""PostgreSQL through psycopg: the engine, and its troubles as sentences.

Passwords come as libpq takes them: from the address, the password file or the environment; no sentence names one.
"""

from __future__ import annotations

import re
from typing import Any

import psycopg
from psycopg.adapt import Buffer, Dumper, Loader
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnection

from monitor.store.texts import original, storable

BACKENDS = ("postgresql", "postgres")

# The worker keeps one connection busy; the rest is for readers beside it.
CONNECTIONS = 3
MORE_CONNECTIONS = 5  # for a short time
CONNECTION_WAIT_SECONDS = 10
# How long a peer that died, stands still or lost its network may hold a row that others wait for.
CONNECT_SECONDS = 10
KEEPALIVE_SECONDS = 10
KEEPALIVES = 3
UNANSWERED_MS = 30_000
LOCK_WAIT_MS = 20_000
STATEMENT_MS = 120_000
IDLE_IN_TRANSACTION_MS = 15_000  # less than others wait for a lock: a worker that stands still holds up nobody
SERVER_SETTINGS = {
    "lock_timeout": LOCK_WAIT_MS,
    "statement_timeout": STATEMENT_MS,
    "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION_MS,
    "tcp_keepalives_idle": KEEPALIVE_SECONDS,
    "tcp_keepalives_interval": KEEPALIVE_SECONDS,
    "tcp_keepalives_count": KEEPALIVES,
    "tcp_user_timeout": UNANSWERED_MS,
    # That of disks without a head: with the default of 4 what one tenant has held is found by reading all tenants'.
    "random_page_cost": 1.1,
}
MIGRATION_LOCK = 0x666C6F70_01  # numbers of advisory locks: "flop", and which one
JOURNAL_LOCK = 0x666C6F70_02
ROLL_UP_LOCK = 0x666C6F70_03
MESSAGES_LOCK = 0x666C6F70_04
AUDIT_LOCK = 0x666C6F70_05

LOST = (
    "The connection to the store {path} was lost: see that the server runs and can be reached; what was committed "
    "before is safe, and the next try connects anew."
)
# The beginning of an error's code (SQLSTATE) -> what is wrong and what to do. The first that fits counts.
BY_CODE = (
    ("53100", "The disk of the store {path} is full: make room; what was committed before is safe."),
    ("53300", "The store {path} has no connection left: raise max_connections, or stop some of its users."),
    ("42501", "The user of the store {path} lacks a right ({cause}): grant it, or give another user."),
    ("25006", "The store {path} cannot be written: give the address of the primary server, not of a standby."),
    ("40", "The store {path} could not keep two transactions apart ({cause}): the same commit may be tried again."),
    (
        "55P03",
        "Another process holds the store {path} for longer than we wait: see what stands still there; the same commit "
        "may be tried again.",
    ),
    ("57014", "The store {path} took too long to answer: see what keeps it busy; the same commit may be tried again."),
    ("57P", LOST),
    ("25P03", LOST),
    ("08", LOST),
    ("XX001", "The store {path} is damaged: restore a backup, or replay the event files into a new store."),
    ("XX002", "The store {path} is damaged: restore a backup, or replay the event files into a new store."),
)
# What a refused connection says, since it has no code -> what is wrong and what to do.
BY_TEXT = (
    (
        r"resolve host|translate host name|Name or service not known|No address associated",
        "The host of the store {path} is not known: check its name in the address of the store.",
    ),
    (
        r"Connection refused|No such file or directory",
        "Nothing answers at the store {path}: start PostgreSQL there, or check host and port in the address.",
    ),
    (
        r"password authentication failed|no password supplied|authentication failed",
        "The store {path} refuses the user or the password: check both; a password may stand in the file that "
        "PGPASSFILE names.",
    ),
    (r'database ".*" does not exist', "The store {path} has no such database: create it, or check the address."),
    (r'role ".*" does not exist', "The store {path} knows no such user: create it, or check the address."),
    (r"no pg_hba\.conf entry", "The store {path} lets nobody in from here: add a line for us to its pg_hba.conf."),
    (r"permission denied for database", "The user of the store {path} may not connect to it: grant it CONNECT."),
    (
        r"certificate|SSL|TLS",
        "No trusted connection to the store {path} could be made ({cause}): check sslmode and sslrootcert "
        "in the address.",
    ),
    (
        r"too many clients|too many connections|connection slots",
        "The store {path} has no connection left: raise max_connections, or stop some of its users.",
    ),
    (
        r"starting up|shutting down|in recovery mode",
        "The store {path} is starting or stopping: wait, and try again; what was committed before is safe.",
    ),
    (
        r"timeout expired|timed out|No route to host|Network is unreachable|Host is down",
        "The store {path} cannot be reached: check host, port, network and firewall.",
    ),
    (
        r"invalid connection option|invalid .* value",
        "The address of the store {path} has an option that is none: {cause}.",
    ),
    (r"closed the connection|connection is (closed|lost|bad)|consuming input|Broken pipe|reset by peer", LOST),
)
BUSY = "All connections of this process to the store {path} are in use: try again; nothing was written."


class Text(Dumper):
    """A text on its way to the database."""

    def dump(self, obj: str) -> bytes:
        """Its bytes, without what PostgreSQL refuses."""
        return storable(obj).encode()


class Read(Loader):
    """A text on its way back."""

    def load(self, data: Buffer) -> str:
        """What it was."""
        return original(str(data, "utf-8"))


def engine_of(url: URL) -> Engine:
    """Connections to the database at a URL, none of them made yet."""
    options = " ".join([f"-c {name}={value}" for name, value in SERVER_SETTINGS.items()])
    given = dict(url.query)
    given["options"] = f"{options} {given.get('options', '')}".strip()
    ours = {
        "application_name": "flopwatch",
        "connect_timeout": str(CONNECT_SECONDS),
        "keepalives_idle": str(KEEPALIVE_SECONDS),
        "keepalives_interval": str(KEEPALIVE_SECONDS),
        "keepalives_count": str(KEEPALIVES),
        "tcp_user_timeout": str(UNANSWERED_MS),
    }
    engine = create_engine(
        url.set(drivername="postgresql+psycopg", query={**ours, **given}),
        paramstyle="format",
        pool_size=CONNECTIONS,
        max_overflow=MORE_CONNECTIONS,
        pool_timeout=CONNECTION_WAIT_SECONDS,
    )
    event.listen(engine, "connect", _prepare)
    return engine


def _prepare(connection: psycopg.Connection[Any], _: object) -> None:
    connection.adapters.register_dumper(str, Text)
    connection.adapters.register_loader("text", Read)


def shown(url: URL) -> str:
    """The address for people, without password and options."""
    return url.set(drivername="postgresql", password=None, query={}).render_as_string(hide_password=True)


def lock(connection: Connection, number: int) -> None:
    """Wait until nobody else has this advisory lock, and hold it until the transaction ends."""
    connection.exec_driver_sql(f"select pg_advisory_xact_lock({number})")


def alone_at(connection: Connection, number: int) -> bool:
    """Whether nobody else has this advisory lock; then it is held until the transaction ends, which sees one state.

    Whoever saw the state before another one's end fails where it writes what that one wrote.
    """
    connection.exec_driver_sql("set transaction isolation level repeatable read")
    return bool(connection.exec_driver_sql(f"select pg_try_advisory_xact_lock({number})").scalar())


def may_make_tables(engine: Engine) -> bool:
    """Whether our user may make tables where ours are; whoever may not has nothing to migrate."""
    with engine.connect() as connection:
        return bool(connection.exec_driver_sql("select has_schema_privilege(current_schema(), 'CREATE')").scalar())


def wait_patiently(connection: Connection) -> None:
    """In this transaction: migrations and loading, which take as long as they take."""
    for setting in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"):
        connection.exec_driver_sql(f"set local {setting} = 0")


def sentence(path: str, error: Exception) -> str:
    """What went wrong with the store at an address, and what to do."""
    if isinstance(error, NoConnection):
        return BUSY.format(path=path)
    cause = error.orig if isinstance(error, DBAPIError) else error
    words = str(cause).strip().split("\n")[0]
    code = getattr(cause, "sqlstate", None) or ""
    for beginning, text in BY_CODE:
        if code.startswith(beginning):
            return text.format(path=path, cause=words)
    for pattern, text in BY_TEXT:
        if not code and re.search(pattern, str(cause)):
            return text.format(path=path, cause=words)
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return LOST.format(path=path)
    return f"The store {path} reports: {words}. What was committed before is safe; check the server and try again."
