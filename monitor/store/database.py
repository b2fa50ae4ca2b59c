"""Opening a database, its migrations, and its troubles as sentences."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, Table, create_engine, event, insert, inspect
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnection

from monitor.clock import random_hex
from monitor.errors import StoreProblem
from monitor.store import postgres
from monitor.store.schema import METADATA, PERSONAL_SALT, REVISION, SALT_BYTES

BUSY_TIMEOUT_MS = 5_000
# WAL: readers never wait for the writer. synchronous=NORMAL: a power cut may lose the latest commits, never a part of
# one; positions and books go back together, so what was lost is read again and nothing counts twice.
PRAGMAS = (
    f"busy_timeout = {BUSY_TIMEOUT_MS}",
    "journal_mode = WAL",
    "synchronous = NORMAL",
    "foreign_keys = ON",
    "cache_size = -32768",
    "wal_autocheckpoint = 4000",
)

# The beginning of SQLite's name of an error -> what is wrong and what to do. The first that fits counts.
SENTENCES = (
    ("SQLITE_FULL", "The disk of the store {path} is full: make room; what was committed before is safe."),
    ("SQLITE_BUSY", "The store {path} is in use by another process: stop that one, or wait until it has finished."),
    ("SQLITE_LOCKED", "The store {path} is in use by another process: stop that one, or wait until it has finished."),
    ("SQLITE_READONLY", "The store {path} cannot be written: make the file and its folder writable for this user."),
    ("SQLITE_PERM", "The store {path} cannot be written: make the file and its folder writable for this user."),
    ("SQLITE_CANTOPEN", "The store {path} cannot be opened: give a file in a folder that this user can write to."),
    ("SQLITE_NOTADB", "{path} is not a store but some other file: give the path of a store, or of a new file."),
    ("SQLITE_CORRUPT", "The store {path} is damaged: restore a backup, or replay the event files into a new store."),
    ("SQLITE_IOERR", "Reading or writing the store {path} failed: check its disk; what was committed before is safe."),
)

ADDRESSES = "give one like sqlite:///books.db or postgresql://user@host/books"


class Database:
    """One database with our tables; `shared`: a server for many processes."""

    __slots__ = ("_reader", "_whole", "engine", "path", "shared")

    def __init__(self, engine: Engine, path: str) -> None:
        self.engine = engine
        self.path = path
        self.shared = engine.dialect.name == "postgresql"
        # SQLite's readers see one state anyway.
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True} if self.shared else {}
        self._reader = engine.execution_options(**options)
        self._whole: Connection | None = None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one state of the store throughout."""
        if self._whole is not None:
            yield self._whole
            return
        with self.troubles(), self._reader.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction: everything or nothing. The first statement must write."""
        if self._whole is not None:
            yield self._whole
            return
        with self.troubles(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def whole(self) -> Iterator[Connection]:
        """One transaction for everything that is read and written meanwhile, by one thread."""
        with self.writing() as connection:
            self._whole = connection
            try:
                yield connection
            finally:
                self._whole = None

    @contextmanager
    def still(self) -> Iterator[None]:
        """One state of the store for everything that is read meanwhile, by one thread."""
        with self.reading() as connection:
            self.wait_patiently(connection)
            self._whole = connection
            try:
                yield
            finally:
                self._whole = None

    def wait_patiently(self, connection: Connection) -> None:
        """This transaction takes as long as it takes."""
        if self.shared:
            postgres.wait_patiently(connection)

    def settle(self) -> None:
        """What was committed before outlasts a power cut from now on; on a server it does anyway.

        Raises:
            StoreProblem: the disk refuses.
        """
        if self.shared:
            return
        try:
            with Path(f"{self.path}-wal").open("rb") as file:
                os.fsync(file.fileno())
        except FileNotFoundError:
            return  # all of it is in the store's own file, and was written through before the log went
        except OSError as error:
            raise StoreProblem(dict(SENTENCES)["SQLITE_IOERR"].format(path=self.path)) from error

    def alone_at_roll_up(self, connection: Connection) -> bool:
        """Whether no other process rolls up; an SQLite store has one process, and its readers see one state anyway."""
        return not self.shared or postgres.alone_at(connection, postgres.ROLL_UP_LOCK)

    def alone_at_messages(self, connection: Connection) -> bool:
        """Whether no other process makes messages; the same holds."""
        return not self.shared or postgres.alone_at(connection, postgres.MESSAGES_LOCK)

    @contextmanager
    def troubles(self) -> Iterator[None]:
        """What the database reports, as a sentence for people."""
        try:
            yield
        except (DBAPIError, NoConnection, sqlite3.Error) as error:
            tell = postgres.sentence if self.shared else sentence
            raise StoreProblem(tell(self.path, error)) from error


def sentence(path: str, error: Exception) -> str:
    """What went wrong with the SQLite store at a path, and what to do."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    name = getattr(cause, "sqlite_errorname", "")
    for beginning, text in SENTENCES:
        if name.startswith(beginning):
            return text.format(path=path)
    return f"The store {path} reports: {cause}. What was committed before is safe; check its disk and try again."


def connect(url: str, create: bool, read_only: bool = False) -> Database:
    """The database at a URL like `sqlite:///path` or `postgresql://user@host/name`, its tables in their latest form.

    Raises:
        StoreProblem: there is none and `create` is false, it is something else, or it is newer than this program; or it
            is older, and `read_only` forbids to bring it up to date.
    """
    database = _engine(url, read_only)
    file = None if database.shared else _file(database.engine.url)
    if file is not None and not create and not file.exists():
        raise StoreProblem(
            f"There is no store at {file}: give the path of one, or make one with `flopwatch replay --state {file}`."
        )
    try:
        _bring_up_to_date(database, create, read_only)
    except StoreProblem:
        database.engine.dispose()
        raise
    return database


def migrate(url: str) -> tuple[str | None, str]:
    """Make the tables of a store, or bring them up to date: the migrations they stood at (None: none) and stand at now.

    Raises:
        StoreProblem: as for `connect`.
    """
    before = revision_of(url)
    connect(url, create=True).engine.dispose()
    return before, REVISION


def revision_of(url: str) -> str | None:
    """The migration that the tables of a store stand at; None: there is no store, and none is made.

    Raises:
        StoreProblem: the database does not answer, is of something else, or newer than this program.
    """
    database = _engine(url, read_only=False)
    file = None if database.shared else _file(database.engine.url)
    if file is not None and not file.exists():
        return None
    try:
        with database.reading() as connection:
            return _revision(database, connection)
    finally:
        database.engine.dispose()


def _engine(url: str, read_only: bool) -> Database:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise StoreProblem(f"'{masked(url)}' is no address of a store: {ADDRESSES}.") from error
    if parsed.get_backend_name() in postgres.BACKENDS:
        shared = postgres.engine_of(parsed)
        return Database(
            shared.execution_options(postgresql_readonly=True) if read_only else shared, postgres.shown(parsed)
        )
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        raise StoreProblem(f"'{masked(url)}' is no store that can be used: {ADDRESSES}.")
    engine = create_engine(parsed)
    event.listen(engine, "connect", _prepare)
    if read_only:
        event.listen(engine, "connect", _forbid_writing)
    event.listen(engine, "begin", _begin)
    return Database(engine, parsed.database)


def masked(url: str) -> str:
    """An address as a person may see it: without its password."""
    without = re.sub(r"(//[^/@:]*):.*@", r"\1:***@", url)
    return re.sub(r"(password=)[^&\s]*", r"\1***", without)


def _file(url: URL) -> Path | None:
    named = url.database
    return None if not named or named.startswith("file:") else Path(named)


def _prepare(connection: sqlite3.Connection, _: object) -> None:
    # The driver would begin transactions by itself, but not before a CREATE TABLE; we begin all of them.
    connection.isolation_level = None
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _forbid_writing(connection: sqlite3.Connection, _: object) -> None:
    connection.execute("PRAGMA query_only = ON")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _bring_up_to_date(database: Database, create: bool, read_only: bool) -> None:
    with database.reading() as connection:
        found = _revision(database, connection)
    if found == REVISION:
        return
    if found is None and not create:
        what = "an empty database" if database.shared else "an empty file"
        raise StoreProblem(f"{database.path} is {what}, not a store: give the path of a store.")
    if read_only:
        raise StoreProblem(
            f"The store {database.path} was written by an older flopwatch and is only to be read here: `flopwatch "
            "flags` brings it up to date."
        )
    with database.troubles():
        if database.shared and not postgres.may_make_tables(database.engine):
            stand = "not there" if found is None else f"at {found}"
            raise StoreProblem(
                f"The tables of the store {database.path} are {stand}, this program needs {REVISION}, and its user may "
                "not change them: run `flopwatch migrate` as their owner, and then deploy/postgres/grants.sql."
            )
        _upgrade(database)


def _revision(database: Database, connection: Connection) -> str | None:
    """The migration that a database stands at; None if it is empty."""
    tables = inspect(connection).get_table_names()
    if not tables:
        return None
    if "alembic_version" not in tables:
        raise StoreProblem(
            f"{database.path} is the database of something else: give the path of a store, or of a new file."
        )
    found = connection.exec_driver_sql("select version_num from alembic_version").scalar_one_or_none()
    if found is not None and str(found) > REVISION:
        raise StoreProblem(
            f"The store {database.path} was written by a newer flopwatch (its tables are at {found}, this program "
            f"knows {REVISION}): install that version, or give another store."
        )
    return None if found is None else str(found)


def _upgrade(database: Database) -> None:
    # Two processes that make the same store at once: the second one waits, and finds it made.
    with database.engine.connect() as connection:
        if database.shared:
            postgres.wait_patiently(connection)
            postgres.lock(connection, postgres.MIGRATION_LOCK)
            run_migrations(connection, REVISION)
            connection.commit()
        else:
            _upgrade_file(connection)


def run_migrations(connection: Connection, revision: str) -> None:
    """Run the migrations up to one, in the connection's transaction."""
    # Only whoever has to migrate pays for importing alembic.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _upgrade_file(connection: Connection) -> None:
    """Migrations that make tables anew must not meet references to them; all are looked at in the end."""
    connection.exec_driver_sql("ROLLBACK")
    connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    try:
        if inspect(connection).get_table_names():
            run_migrations(connection, REVISION)
        else:
            _make_tables(connection)
        assert not connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        connection.commit()
    finally:
        connection.invalidate()  # the next one checks references again


def _make_tables(connection: Connection) -> None:
    """What all migrations make of an empty file, at once: a fifth of their time, and most stores are new."""
    METADATA.create_all(connection, checkfirst=False)
    connection.execute(insert(PERSONAL_SALT).values(salt=random_hex(SALT_BYTES)))
    connection.exec_driver_sql(
        "CREATE TABLE alembic_version "
        "(version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
    )
    connection.exec_driver_sql("INSERT INTO alembic_version VALUES (?)", (REVISION,))


def insert_new(database: Database, table: Table) -> postgresql.Insert | sqlite.Insert:
    """Insert a row, unless one with its primary key is there."""
    if database.shared:
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()
