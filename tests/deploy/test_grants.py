"""The rights of deploy/postgres: worker and console do their work with these, and the server refuses the rest."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

import tests.run.test_telling
import tests.web.browsing
from monitor.core.audit import verify
from monitor.core.roles import Permission, Role
from monitor.errors import MonitorError, StoreProblem
from monitor.run.letters import REPLAY
from monitor.simulate.scenarios import simulate
from monitor.store import DECISION, JournalEntry
from monitor.store.database import migrate
from monitor.store.schema import METADATA, REVISION
from monitor.store.sql import SqlStore
from tests.run.test_telling import Told
from tests.run.test_worker import DAY_SECONDS, event, profiled, started, stopped
from tests.store.cluster import Cluster, Named
from tests.web.browsing import NOW, TEST
from tests.web.test_cases import ANY, DECIDED, REASON, CaseHouse
from tests.web.test_exports import TO_A_GOVERNMENT

FOLDER = Path(__file__).parents[2] / "deploy/postgres"
FAILURES = (MonitorError, AssertionError, psycopg.Error, DBAPIError, KeyError, IndexError, StopIteration)
HIDDEN = {"rule": ANY, "until": "2027-02-01", "reason": REASON}
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


def console_decides(url: str, tmp_path: Path) -> None:
    """People sign in, work on cases alone and by two, and leave."""
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


def console_does_the_rest(url: str, tmp_path: Path) -> None:
    """A pack leaves by counsel's word, a case is held and freed, a rule suppressed; tokens, passwords, roles."""
    with closing(CaseHouse(tmp_path)) as house, closing(SqlStore.open(as_role(url, WORKER))) as books:
        own, house.store = house.store, books
        case, other = (house.raise_flag(name, level="critical", tenant=name) for name in ("F-1", "F-2"))
        house.store = own
        one, two, counsel = (house.signed_in(name) for name in ("senior-reviewer", "senior-two", "counsel"))

        assert 303 == house.act(one, case, "claim")
        for form, said in (
            ("hold", {"why": "A court asked us to keep it all."}),
            ("free", {"why": "The court does not ask any more."}),
        ):
            assert 303 == house.act(one, case, form, **said), form
        assert 303 == house.act(two, case, "approve")
        assert 303 == house.act(one, case, "suppress", **HIDDEN)
        assert 303 == house.act(two, case, "approve")

        one.get(f"/cases/{case}/evidence")
        assert 303 == one.post(f"/cases/{case}/evidence", TO_A_GOVERNMENT).status_code
        counsel.get("/exports")
        assert 303 == counsel.post("/exports/1/release", {}).status_code
        one.get("/exports")
        assert "application/zip" == one.post("/exports/1/fetch", {}).headers["Content-Type"]

        house.accounts.set_role("viewer", Role.AUDITOR, TEST)
        house.accounts.set_password("viewer", "another long password of theirs", TEST)
        made = house.accounts.add_token("reviewer", "a program", {Permission.VIEW_CASES}, 30, TEST)
        assert house.accounts.token(made.secret) is not None
        assert house.accounts.tokens("reviewer")[0].used_at is not None
        house.accounts.revoke_token(made.token.id, "reviewer", TEST)
        house.accounts.disable("viewer", TEST)
        number = house.store.proposals.propose("policy", "p@1", {}, "It is needed.", "editor", NOW, TEST)
        assert [number] == [one.number for one in house.store.proposals.waiting()]
        house.store.proposals.drop(number, "editor", "No longer.", NOW, TEST)
        for form, said in (("claim", {}), ("suppress", HIDDEN), ("decide", DECIDED)):
            assert 303 == house.act(one, other, form, **said), form
            if form != "claim":
                assert 303 == house.act(two, other, "approve")
        house.store = books  # the worker raises the level of what is suppressed, which ends that
        house.raise_flag("F-1", level="critical", tenant="F-1", central=10**28)
        house.store = own
        assert not house.store.casework.holding()

        house.clock.now += house.settings.idle_minutes * 40_000  # two thirds of what ends a session that nobody uses
        assert 200 == two.get("/me").status_code
        house.clock.now += house.settings.idle_minutes * 40_000
        assert 200 == two.get("/me").status_code
        survey = house.surveys.latest()
        for answer in survey.tenants().tenants:
            survey.tenant(answer.tenant)
            survey.runs(answer.tenant)


CONSOLE = (console_decides, console_does_the_rest)


@pytest.fixture
def as_web(url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The store, of which a console has what the console's role may do."""
    monkeypatch.setattr(tests.web.browsing, "url_of", lambda _: as_role(url, WEB))
    return url


@pytest.mark.parametrize("work", CONSOLE, ids=lambda work: work.__name__)
def test_the_console_does_its_work(as_web: str, tmp_path: Path, work: Callable[[str, Path], None]) -> None:
    """With these rights and no others everything is done; an auditor reads what was."""
    work(as_web, tmp_path)

    with closing(SqlStore.open(as_role(as_web, AUDITOR), create=False, read_only=True)) as store:
        assert 0 < verify(store.audit.chain(), []).rows


def rights(url: str, role: str) -> list[tuple[str, str]]:
    """What a role may do with which table, by the server's own word."""
    query = "select table_name, privilege_type from information_schema.role_table_grants where grantee = %s"
    with psycopg.connect(url) as connection:
        return sorted(connection.execute(query + " and table_schema = 'public'", (role,)).fetchall())


@pytest.mark.torture
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # of surveys that may not read
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # connections of what failed half-way
def test_each_right_of_the_console_is_needed(
    url: str, postgres: Cluster | Named, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any one of its rights some of the console's work fails; in the end all of them were taken away once."""
    monkeypatch.setattr(tests.run.test_telling, "url_of", lambda _: as_role(url, WORKER))
    events = tmp_path / "events.jsonl"
    events.write_bytes(b"".join(simulate("quiet").events()))
    told = Told(tmp_path)
    with closing(told.server):
        told.read(events)
    spare = []
    for number, (table, right) in enumerate(rights(url, WEB)):
        for work in CONSOLE:
            copied = copy(postgres, url)
            monkeypatch.setattr(tests.web.browsing, "url_of", lambda _, copied=copied: as_role(copied, WEB))
            run(copied, f"revoke {right} on {table} from {WEB}")
            folder = tmp_path / f"{number}-{work.__name__}"
            folder.mkdir()
            if fails(lambda work=work, copied=copied, folder=folder: work(copied, folder)):
                break
        else:
            spare.append((table, right))

    assert not spare, ", ".join(f"{right} on {table}" for table, right in spare)


EVENTS = [
    *(event(50 + hour, "source.alive", 3_600 * hour, source="provider/control-plane") for hour in range(0, 216, 6)),
    profiled(1, 0),
    started(2, 0, "big", 80_000),
    event(4, "allocation.seen", DAY_SECONDS, allocation="big", image_digest="sha256:1", job="j-1", nodes=["n-1"]),
    *(
        event(10 + hour, "telemetry.sampled", 3_600 * hour, allocation="big", window_seconds=3_600, tensor_active=0.5,
              observer="provider", accelerators_covered=80_000)
        for hour in range(1, 4)
    ),
    event(5, "inventory.reported", DAY_SECONDS, region="eu", complete=True, capacity={"H100 SXM": 100_000},
          allocations=[{"tenant": "t-1", "allocation": "big", "count": 80_000, "hardware": "H100 SXM"}]),
    event(9, "party.profiled", 0, party="p-1", names=["One Ltd."]),
    stopped(7, 9 * DAY_SECONDS, "big"),
    started(8, 9 * DAY_SECONDS, "small", 8, "t-2"),
]  # fmt: skip
FIRST = sorted(EVENTS, key=lambda line: json.loads(line)["time"])


def retracted(number: int, wrong: str) -> bytes:
    """The fact with this id was wrong."""
    retracts = {"source": "provider/control-plane", "id": wrong}
    return event(number, "fact.retracted", 9 * DAY_SECONDS, retracts=retracts, reason="It was wrong.")


LATER = [
    stopped(20, 8 * DAY_SECONDS, "big"),
    *(retracted(20 + number, wrong) for number, wrong in enumerate(("e-11", "e-12", "e-13", "e-8"), 1)),
    profiled(25, 9 * DAY_SECONDS),
    event(26, "source.alive", 10 * DAY_SECONDS, source="provider/control-plane"),
]

ALL_BUT_PARTIES = {
    "provider/control-plane": {json.loads(line)["type"] for line in FIRST} - {"io.flopwatch.party.profiled.v1"}
}


def worker_works(url: str, folder: Path) -> None:
    """Events become books, flags, cases and notices; later ones and a person's word move what was written."""
    told = Told(folder)
    with closing(told.server):
        (folder / "events.jsonl").write_bytes(b"".join(FIRST))
        told.read(folder / "events.jsonl", allowed_sources=ALL_BUT_PARTIES)
        with closing(SqlStore.open(url)) as store:
            (letter,) = store.dead_letters()
            store.record([JournalEntry(DECISION, {REPLAY: [letter.number], "reason": "It was allowed since."})], NOW)
        (folder / "events.jsonl").write_bytes(b"".join([*FIRST, *LATER]))
        told.read(folder / "events.jsonl")
    with closing(SqlStore.open(as_role(url, WORKER))) as store:
        store.audit.head(0)


def contents(url: str) -> dict[str, list[tuple[object, ...]]]:
    """All rows of a store, by table."""
    with psycopg.connect(url) as connection:
        return {
            table: sorted(connection.execute(f'select * from "{table}"'.encode()).fetchall(), key=repr)
            for table in METADATA.tables
        }


@pytest.mark.torture
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # connections of what failed half-way
def test_each_right_of_the_worker_is_needed(
    url: str, postgres: Cluster | Named, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any one of its rights the store is another one in the end; all of them were taken away once."""
    folder = tmp_path / "work"  # always the same: the store knows it

    def worked(copied: str) -> dict[str, list[tuple[object, ...]]]:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        monkeypatch.setattr(tests.run.test_telling, "url_of", lambda _: as_role(copied, WORKER))
        worker_works(copied, folder)
        return contents(copied)

    expected = worked(copy(postgres, url))
    assert expected == worked(copy(postgres, url))
    spare = []
    for table, right in rights(url, WORKER):
        copied = copy(postgres, url)
        run(copied, f"revoke {right} on {table} from {WORKER}")
        try:
            as_before = expected == worked(copied)
        except (*FAILURES, ValueError):  # also where no letter waits
            continue
        if not as_before:
            continue
        copied = copy(postgres, url)
        run(copied, f"revoke {right} on {table} from {WORKER}")
        monkeypatch.setattr(tests.web.browsing, "url_of", lambda _, copied=copied: as_role(copied, WEB))
        shutil.rmtree(folder)
        folder.mkdir()
        if not fails(lambda copied=copied: console_does_the_rest(copied, folder)):
            spare.append((table, right))

    assert not spare, ", ".join(f"{right} on {table}" for table, right in spare)


def fails(work: Callable[[], None]) -> bool:
    """Whether it does not come to its end."""
    try:
        work()
    except FAILURES:
        return True
    return False


def copy(postgres: Cluster | Named, url: str) -> str:
    """Another store like this one, with the same rights."""
    name = make_url(url).database
    other = postgres.new_database()
    fresh = make_url(other).database
    with psycopg.connect(make_url(url).set(database="postgres").render_as_string(False), autocommit=True) as server:
        server.execute(f'drop database "{fresh}"'.encode())
        server.execute(f'create database "{fresh}" template "{name}"'.encode())
    return other


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
