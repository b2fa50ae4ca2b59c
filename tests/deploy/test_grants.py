"""The rights of deploy/postgres: worker and console do their work with these, and the server refuses the rest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

import tests.run.test_telling
import tests.web.browsing
from monitor.core.audit import verify
from monitor.errors import StoreProblem
from monitor.simulate.scenarios import simulate
from monitor.store.database import migrate
from monitor.store.schema import METADATA, REVISION
from monitor.store.sql import SqlStore
from tests.run.test_telling import Told
from tests.store.cluster import Cluster, Named
from tests.web.browsing import NOW, TEST
from tests.web.test_cases import DECIDED, CaseHouse

FOLDER = Path(__file__).parents[2] / "deploy/postgres"
OWNER, WORKER, WEB, AUDITOR = "flopwatch_owner", "flopwatch_worker", "flopwatch_web", "flopwatch_auditor"


def run(url: str, statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statements.encode())


def as_role(url: str, role: str) -> str:
    """The address with which somebody has the rights of a role, and no others."""
    return make_url(url).update_query_dict({"options": f"-crole={role}"}).render_as_string(hide_password=False)


@pytest.fixture
def url(postgres: Cluster | Named) -> str:
    """A store that was made to the letter of the files."""
    url = postgres.new_database()
    run(url, (FOLDER / "roles.sql").read_text(encoding="utf-8"))
    migrate(as_role(url, OWNER))
    run(as_role(url, OWNER), (FOLDER / "grants.sql").read_text(encoding="utf-8"))
    return url


@pytest.fixture
def told(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    """A worker with the rights of the worker, and what it tells."""
    monkeypatch.setattr(tests.run.test_telling, "url_of", lambda _: as_role(url, WORKER))
    told = Told(tmp_path)
    yield told
    told.server.close()


def test_a_worker_does_its_work(told: Told, url: str, tmp_path: Path) -> None:
    """Events become books, flags, cases and notices, which an auditor reads; the head of the audit is there to keep."""
    events = tmp_path / "events.jsonl"
    events.write_bytes(b"".join(simulate("frontier").events()))

    told.read(events)

    assert told.notices
    with closing(SqlStore.open(as_role(url, WORKER))) as store:
        assert 0 == store.audit.head(0).rows
    with closing(SqlStore.open(as_role(url, AUDITOR), create=False, read_only=True)) as store:
        assert store.flags()


def test_the_console_does_its_work(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """People sign in, work on cases alone and by two, and leave; an auditor reads what they did."""
    monkeypatch.setattr(tests.web.browsing, "url_of", lambda _: as_role(url, WEB))
    with closing(CaseHouse(tmp_path)) as house, closing(SqlStore.open(as_role(url, WORKER))) as books:
        own, house.store = house.store, books
        alone, together = house.raise_flag("F-1"), house.raise_flag("F-2", level="critical", tenant="t-2")
        house.store = own
        one, two = house.signed_in("senior-reviewer"), house.signed_in("senior-two")
        house.surveys.close()

        for form, said in (
            ("claim", {}),
            ("note", {"text": "Seen."}),
            ("escalate", {"why": "It is beyond me."}),
            ("claim", {}),
            ("decide", DECIDED),
            ("reverse", {"why": "The contract was another one, as it turned out."}),
        ):
            assert 303 == house.act(one, alone, form, **said), form
        for browser, form, said in ((one, "claim", {}), (one, "decide", DECIDED), (two, "approve", {})):
            assert 303 == house.act(browser, together, form, **said), form
        house.people.disable("viewer", TEST, NOW)
        for path in ("/queue", "/tenants", "/me"):
            assert 200 == one.get(path).status_code, path

    with closing(SqlStore.open(as_role(url, AUDITOR), create=False, read_only=True)) as store:
        assert 0 < verify(store.audit.chain(), []).rows


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        (WORKER, "delete from audit"),
        (WORKER, "insert into audit select * from audit"),
        (WORKER, "drop table fact_pages"),
        (WORKER, "truncate usage"),
        (WORKER, "create table more (number bigint)"),
        (WORKER, "select password from users"),
        (WORKER, "select hash from sessions"),
        (WORKER, "alter table audit disable trigger all"),
        (WEB, "update fact_pages set facts = 0"),
        (WEB, "update usage set tenant_id = 0"),
        (WEB, "delete from allocations"),
        (WEB, "update audit set at = 0"),
        (WEB, "delete from cases"),
        (WEB, "insert into cases select * from cases"),
        (WEB, "delete from users"),
        (WEB, "create table more (number bigint)"),
        (AUDITOR, "insert into journal select * from journal"),
        (AUDITOR, "select password from users"),
    ],
)
def test_the_server_refuses_the_rest(url: str, role: str, statement: str) -> None:
    """What a role has no use for is refused by PostgreSQL, whatever the program does."""
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        run(as_role(url, role), statement)


def test_only_the_owner_migrates(url: str) -> None:
    """Over current tables a worker starts without any right on the schema; over older ones it says who has to act."""
    SqlStore.open(as_role(url, WORKER)).close()
    run(url, "update alembic_version set version_num = '0013'")

    with pytest.raises(StoreProblem, match=f"are at 0013, this program needs {REVISION}.*`flopwatch migrate` as"):
        SqlStore.open(as_role(url, WORKER))


def test_every_table_of_the_file_is_one_and_every_table_has_a_reader(url: str) -> None:
    """The file names the tables of the schema: somebody may read or write each."""
    with psycopg.connect(url) as connection:
        query = "select distinct table_name from information_schema.role_table_grants where grantee = any(%s)"
        named = {row[0] for row in connection.execute(query, ([WORKER, WEB, AUDITOR],))}

    assert {*METADATA.tables, "alembic_version"} == named
