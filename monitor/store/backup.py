"""A copy of a whole store while it is in use, and a store made of such a copy.

An SQLite store is copied page by page within one reading transaction, so that the copy is one state of it whatever is
committed meanwhile; PostgreSQL's own `pg_dump` and `pg_restore` do the same for theirs. A copy is as secret as the
store: it holds names, salts and hashes of passwords. Only its owner may read the file.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path

from sqlalchemy.engine import URL, make_url

from monitor.errors import StoreProblem
from monitor.store import postgres
from monitor.store.commit import Backup
from monitor.store.database import ADDRESSES, connect, masked, revision_of
from monitor.store.schema import REVISION

PAGES_AT_ONCE = 1_024
SQLITE_MAGIC, DUMP_MAGIC = b"SQLite format 3\x00", b"PGDMP"
CHUNK = 1 << 20
DEBIAN_PROGRAMS = Path("/usr/lib/postgresql")

Progress = Callable[[int, int | None], None]


def back_up(url: str, out: Path, progress: Progress) -> Backup:
    """Copy the store at an address into a new file, which is there as a whole or not at all.

    Raises:
        StoreProblem: there is no store, the file exists, or it cannot be written.
    """
    if revision_of(url) is None:
        raise StoreProblem(f"There is no store at {masked(url)}: give the address of one.")
    if out.exists():
        raise StoreProblem(f"{out} exists: give the name of a new file; a backup replaces nothing.")
    part = out.with_name(f".{out.name}.part")
    with _file_troubles(out):
        os.close(os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600))
        try:
            if _is_shared(url):
                _run("pg_dump", url, "--format=custom", "--no-owner", "--no-privileges", f"--file={part}")
            else:
                _copy_pages(Path(str(_address(url).database)), part, progress)
            found = _read(part)._replace(file=out)
            _settle(part)
            part.rename(out)
            _settle(out.parent)
        finally:
            part.unlink(missing_ok=True)
    return found


def restore(url: str, file: Path) -> Backup:
    """Make the store at an address of a backup, with its tables in their latest form. What the backup was is returned.

    Raises:
        StoreProblem: a store is there already, the file is no backup, of the other database, damaged, or from a newer
            program.
    """
    with _file_troubles(file):
        found = _read(file)
    if found.revision > REVISION:
        raise StoreProblem(
            f"{file} was written by a newer flopwatch (its tables are at {found.revision}, this program knows "
            f"{REVISION}): install that version."
        )
    shared = _is_shared(url)
    is_dump = _begins(file) == DUMP_MAGIC
    if shared != is_dump:
        made, wanted = ("PostgreSQL", "an SQLite file") if is_dump else ("SQLite", "PostgreSQL")
        raise StoreProblem(f"{file} is a backup of {made} and the store is {wanted}: give a store of the same kind.")
    if revision_of(url) is not None:
        raise StoreProblem(f"There is a store at {masked(url)} already: restore into a new one, nothing is replaced.")
    if shared:
        _run("pg_restore", url, "--exit-on-error", "--no-owner", "--no-privileges", "--single-transaction", str(file))
    else:
        _put_file(file, Path(str(_address(url).database)))
    connect(url, create=False).engine.dispose()
    return found


def _address(url: str) -> URL:
    try:
        return make_url(url)
    except ValueError as error:
        raise StoreProblem(f"'{masked(url)}' is no address of a store: {ADDRESSES}.") from error


def _is_shared(url: str) -> bool:
    return _address(url).get_backend_name() in postgres.BACKENDS


@contextmanager
def _file_troubles(file: Path) -> Iterator[None]:
    """What the file system and SQLite say of the file of a backup, as a sentence."""
    try:
        yield
    except OSError as problem:
        why = (problem.strerror or "no reason given").lower()
        raise StoreProblem(f"The backup {file} cannot be read or written: {why}; nothing was changed.") from problem
    except sqlite3.Error as problem:
        raise StoreProblem(f"The backup {file} is not right: {problem}; take another one.") from problem


# -- SQLite ----------------------------------------------------------------------------------------------------------


def _copy_pages(store: Path, part: Path, progress: Progress) -> None:
    """One state of the store: pages are copied within one reading transaction."""
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True, isolation_level=None)) as source:
        source.execute("BEGIN")
        source.execute("select version_num from alembic_version").fetchone()  # from here on this state is seen
        with closing(sqlite3.connect(part)) as copy:
            source.backup(
                copy, pages=PAGES_AT_ONCE, progress=lambda _status, left, total: progress(total - left, total)
            )
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
        source.execute("ROLLBACK")


def _put_file(file: Path, store: Path) -> None:
    part = store.with_name(f".{store.name}.part")
    with _file_troubles(store):
        try:
            os.close(os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600))
            shutil.copyfile(file, part)
            _settle(part)
            part.rename(store)
            _settle(store.parent)
        finally:
            part.unlink(missing_ok=True)


def _looked_through(file: Path) -> str:
    """The migration of the tables of an SQLite file that is whole."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True)) as connection:
        (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if said != "ok":
            raise StoreProblem(f"The backup {file} is damaged: {said}; take another one.")
        (revision,) = connection.execute("select version_num from alembic_version").fetchone()
    return str(revision)


# -- PostgreSQL ------------------------------------------------------------------------------------------------------


def _program(name: str) -> str:
    found = shutil.which(name)
    debian = sorted(DEBIAN_PROGRAMS.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    if found is None and not debian:
        raise StoreProblem(f"{name} is not installed: install PostgreSQL's client programs, of the server's version.")
    return str(debian[-1]) if debian else str(found)


def _run(name: str, url: str, *words: str) -> None:
    """A program of PostgreSQL over a store; a password goes by the environment, where no list of processes has it."""
    parsed = _address(url)
    options = {key: value for key, value in parsed.query.items() if key != "options"}
    shown = parsed.set(drivername="postgresql", password=None, query=options).render_as_string(hide_password=False)
    password = {} if parsed.password is None else {"PGPASSWORD": str(parsed.password)}
    _say([_program(name), "--no-password", f"--dbname={shown}", *words], password)


def _say(command: list[str], more: dict[str, str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", env={**os.environ, **more})
    if done.returncode:
        name, said = Path(command[0]).name, done.stderr.strip().splitlines() or ["no reason given"]
        raise StoreProblem(f"{name} failed: {said[0].removeprefix(f'{name}: ')}. Nothing was changed.")
    return done.stdout


def _dumped(file: Path) -> str:
    """The migration of the tables in a dump of PostgreSQL."""
    words = ["--data-only", "--table=alembic_version", "--file=-", str(file)]
    lines = _say([_program("pg_restore"), *words], {}).splitlines()
    rows = [after for line, after in pairwise(lines) if line.startswith("COPY ")]
    if len(rows) != 1:
        raise StoreProblem(f"{file} is a dump of something else: give a file that `flopwatch backup` has made.")
    return rows[0].strip()


# -- files -----------------------------------------------------------------------------------------------------------


def _begins(file: Path) -> bytes:
    with file.open("rb") as content:
        beginning = content.read(len(SQLITE_MAGIC))
    return DUMP_MAGIC if beginning.startswith(DUMP_MAGIC) else beginning


def _read(file: Path) -> Backup:
    """What a file holds."""
    beginning = _begins(file)
    if beginning not in (SQLITE_MAGIC, DUMP_MAGIC):
        raise StoreProblem(f"{file} is no backup: give a file that `flopwatch backup` has made.")
    revision = _dumped(file) if beginning == DUMP_MAGIC else _looked_through(file)
    hashed = hashlib.sha256()
    with file.open("rb") as content:
        while chunk := content.read(CHUNK):
            hashed.update(chunk)
    return Backup(file, file.stat().st_size, hashed.hexdigest(), revision)


def _settle(path: Path) -> None:
    """What was written to a file or folder outlasts a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
