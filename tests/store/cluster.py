"""A real PostgreSQL for tests: one that is named, one in a container, or a private one.

In this order: POSTGRES_URL, whose user may make databases; testcontainers, where a container engine answers; Debian's
programs over a temporary folder, reached through a socket in it. Tests that stop the server, or change how it lets
people in, have a private one of their own (the fixture `cluster`).
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from monitor.store.database import migrate
from tests.servers.engine import engine_answers

USER = "flopwatch"
SOCKET_FOLDER_MAX = 60  # of the 107 bytes that the path of a socket may have


def programs() -> Path | None:
    """The folder of PostgreSQL's server programs, the latest version's."""
    found = shutil.which("initdb")
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: path.parts)
    return Path(found).parent if found else folders[-1].parent if folders else None


class Cluster:
    """A running server."""

    def __init__(self, bin: Path, folder: Path) -> None:
        self._bin = bin
        self._folder = folder
        self._numbers = count(1)
        # The server refuses to run for root.
        self._user = "postgres" if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(folder, self._user)
        self._run("initdb", "-D", f"{folder}/data", "-A", "trust", "-U", USER, "-E", "UTF8", "--locale=C", "-N")
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-c listen_addresses='' -c unix_socket_directories={self._folder} -c fsync=off"
        self._run("pg_ctl", "-D", f"{self._folder}/data", "-w", "-o", options, "-l", f"{self._folder}/log", "start")

    def stop(self) -> None:
        """Stop it; whoever is connected loses the connection."""
        self._run("pg_ctl", "-D", f"{self._folder}/data", "-w", "-m", "fast", "stop")

    def restart(self) -> None:
        """Stop it and start it again."""
        self.stop()
        self.start()

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._bin / program), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, user=self._user, cwd=self._folder, timeout=60)

    def demand_password(self, database: str) -> None:
        """From now on let nobody into a database without a password."""
        rules = Path(f"{self._folder}/data/pg_hba.conf")
        rules.write_text(f"local {database} all scram-sha-256\n{rules.read_text()}")
        self._run("pg_ctl", "-D", f"{self._folder}/data", "reload")

    def url(self, database: str) -> str:
        """The address of a database."""
        return f"postgresql://{USER}@/{database}?host={self._folder}"

    def new_database(self, template: str = "template1") -> str:
        """The address of a new database, empty unless it is a copy of another."""
        name = f"books_{next(self._numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"create database {name} template {template}".encode())
        return self.url(name)


class Named:
    """A server that somebody else runs."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url).set(drivername="postgresql")
        self._made: list[str] = []

    def url(self, database: str) -> str:
        """The address of a database."""
        return self._url.set(database=database).render_as_string(hide_password=False)

    def new_database(self, template: str = "template1") -> str:
        """The address of a new database, empty unless it is a copy of another."""
        name = f"books_{uuid.uuid4().hex}"
        self._run(f"create database {name} template {template}")
        self._made.append(name)
        return self.url(name)

    def drop_made(self) -> None:
        """Leave nothing behind."""
        for name in self._made:
            self._run(f"drop database {name} with (force)")

    def _run(self, statement: str) -> None:
        with psycopg.connect(self._url.render_as_string(hide_password=False), autocommit=True) as connection:
            connection.execute(statement.encode())


def new_store(server: Cluster | Named) -> str:
    """The address of a new database that has the tables of a store: copied, which takes less than to migrate."""
    return server.new_database(_migrated(server))


@cache
def _migrated(server: Cluster | Named) -> str:
    url = server.new_database()
    migrate(url)
    return str(make_url(url).database)


def reachable() -> str:
    """Where the server's data may lie: a path short enough for a socket in it, which its own user can reach."""
    here = Path(tempfile.gettempdir()).resolve()
    open_to_all = all(folder.stat().st_mode & stat.S_IXOTH for folder in (here, *here.parents))
    return str(here) if len(str(here)) < SOCKET_FOLDER_MAX and (open_to_all or os.geteuid()) else "/tmp"


@contextmanager
def private() -> Iterator[Cluster]:
    """A server of our own."""
    bin = programs()
    if bin is None:
        pytest.skip("needs PostgreSQL's server programs: `make test-deps` says how to get them")
    with tempfile.TemporaryDirectory(prefix="flopwatch-pg-", dir=reachable()) as folder:
        cluster = Cluster(bin, Path(folder))
        try:
            yield cluster
        finally:
            cluster.stop()


@contextmanager
def any_postgres() -> Iterator[Cluster | Named]:
    """A server, whichever can be had first."""
    named = os.environ.get("POSTGRES_URL")
    if named:
        server = Named(named)
        yield server
        server.drop_made()
    elif engine_answers():
        from testcontainers.postgres import PostgresContainer

        with PostgresContainer("postgres:17-alpine", driver=None) as container:
            yield Named(container.get_connection_url())
    else:
        with private() as cluster:
            yield cluster
