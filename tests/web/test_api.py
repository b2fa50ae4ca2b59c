"""The API: it answers what its description allows, and the numbers are those of the pages and the command line."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any, NamedTuple, get_args

import pytest
from fastapi.routing import APIRoute
from pydantic import BaseModel

from monitor.core.roles import SCOPES, Permission, Role
from monitor.log import tenant_reference
from monitor.web.api import description, models, routes
from monitor.web.display import flop
from monitor.web.pages import queue
from monitor.web.server import ConsoleServer
from tests.cli.command import flopwatch
from tests.store.taking import url_of
from tests.web.browsing import TEST, Browser, House
from tests.web.test_cases import DECIDED, REASON, CaseHouse
from tests.web.test_exported_tables import exported, unpacked

EXAMPLES = 12  # of each operation, beside those at the edges of each parameter
PATIENCE_SECONDS = 120  # with an answer, on a machine that is busy with other tests


class Fleet(NamedTuple):
    """A console over the fleet of the demo, and where its store is."""

    house: House
    state: Path

    def told(self, *command: str) -> Any:
        """What the command line prints of the same store."""
        return flopwatch(*command, "--state", self.state, "--json").document


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    events, state = folder / "events.jsonl", Path(url_of(folder).removeprefix("sqlite:///"))
    events.write_text(flopwatch("simulate", "demo").out, encoding="utf-8")
    assert 0 == flopwatch("replay", events, "--state", state).code
    house = House(folder)
    yield Fleet(house, state)
    house.close()


def program(house: House, name: str = "auditor", scopes: frozenset[Permission] = SCOPES) -> Browser:
    """A program with a token of somebody."""
    made = house.accounts.add_token(name, "a program", scopes, 30, TEST)
    return house.browser(headers={"Authorization": f"Bearer {made.secret}"})


def asked(browser: Browser, path: str) -> Any:
    """An answer."""
    answer = browser.get(f"/api/v1/{path}")
    assert (200, "application/json") == (answer.status_code, answer.headers["content-type"]), answer.text
    return answer.json()


def paths(browser: Browser) -> dict[str, type[BaseModel]]:
    """Everything that there is to ask for, with one of each, and what its answer is like."""
    case = asked(browser, "cases")["cases"][0]["case"]
    flag = asked(browser, "flags")["flags"][0]["flag"]
    tenant = asked(browser, "tenants")["tenants"][0]["reference"]
    run = asked(browser, f"tenants/{tenant}/runs")["runs"][0]["run"]
    return {
        "overview": models.Overview,
        "cases": models.Cases,
        "cases?show=decided": models.Cases,
        f"cases/{case}": models.CaseStory,
        "suppressions": models.Suppressions,
        "tenants": models.Tenants,
        f"tenants/{tenant}": models.Story,
        f"tenants/{tenant}/runs": models.Runs,
        f"tenants/{tenant}/runs/{run}": models.Run,
        "flags?closed=true": models.Flags,
        f"flags/{flag}": models.FlagStory,
        "policies": models.Policies,
    }


# -- as it is described ------------------------------------------------------------------------------------------------


def test_whatever_is_asked_is_answered_as_described(tmp_path: Path, fleet: Fleet) -> None:
    """A program that knows only the description finds no failure of the server and no answer that is not in it."""
    shutil.copy(fleet.state, url_of(tmp_path).removeprefix("sqlite:///"))
    house = House(tmp_path, origin=None)
    made = house.accounts.add_token("auditor", "a program", SCOPES, 30, TEST)
    console = ConsoleServer("127.0.0.1", 0, house.app)
    console.start()
    command = [sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()", "run"]
    command += [f"http://127.0.0.1:{console.port}/api/v1/openapi.json", "--no-color", "--generation-deterministic"]
    command += ["--header", f"Authorization: Bearer {made.secret}", "--checks", "all", "--max-examples", str(EXAMPLES)]
    command += ["--request-timeout", str(PATIENCE_SECONDS)]

    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    console.close()
    house.close()

    assert 0 == ran.returncode, ran.stdout
    assert f"Tested: {len(description.document()['paths'])}" in ran.stdout
    assert "console failure" not in house.log.getvalue()


@pytest.mark.parametrize("name", ["auditor", "viewer", "reviewer"])
def test_every_answer_is_as_described(fleet: Fleet, name: str) -> None:
    """With names and without them: nothing more, nothing less, nothing of another type."""
    browser = program(fleet.house, name)

    for path, model in paths(browser).items():
        model.model_validate(asked(browser, path), strict=True)


def test_the_description_has_all_that_can_be_asked(fleet: Fleet) -> None:
    """And says how to sign in; what the framework would say of a bad request is not in it, since nobody hears it."""
    browser = program(fleet.house)
    document = asked(browser, "openapi.json")
    ours = {route.path for route in routes.router.routes if isinstance(route, APIRoute)}

    assert ours == set(document["paths"])
    assert {"token": {"type": "http", "scheme": "bearer"}} == document["components"]["securitySchemes"]
    assert "422" not in json.dumps(document)
    assert all("description" in one for one in document["components"]["schemas"].values())


# -- the same numbers --------------------------------------------------------------------------------------------------


def test_the_command_line_says_the_same(fleet: Fleet) -> None:
    """Of tenants, runs, flags, cases and policies: the same names and values, and a reference more."""
    browser = program(fleet.house)
    tenants = {one["tenant"]: one for one in asked(browser, "tenants")["tenants"]}
    flags = {one["flag"]: one for one in asked(browser, "flags")["flags"]}
    cases = {one["case"]: one for one in asked(browser, "cases")["cases"]}

    assert fleet.told("tenants") == [without_reference(tenants[one["tenant"]]) for one in fleet.told("tenants")]
    assert {one["flag"]: one for one in fleet.told("flags")} == flags
    assert {one["case"]: one for one in fleet.told("cases")} == cases
    found = [run for one in tenants.values() for run in asked(browser, f"tenants/{one['reference']}/runs")["runs"]]
    largest_first = sorted(found, key=lambda one: (-one["flop"]["central"], one["tenant"], one["run"]))
    assert fleet.told("runs", "--limit", "1000") == list(map(without_reference, largest_first))
    case = next(iter(cases))
    assert asked(browser, f"cases/{case}") == fleet.told("cases", "show", case)
    assert fleet.told("cases", "suppressed", "--all") == asked(browser, "suppressions")["suppressions"]


def without_reference(document: dict[str, Any]) -> dict[str, Any]:
    """What the command line says, which has names."""
    return {name: value for name, value in document.items() if name != "reference"}


def test_the_pages_say_the_same(fleet: Fleet) -> None:
    """Each tenant's compute with its range, over each window, and each run's: as the page writes it."""
    browser, program_ = fleet.house.signed_in("auditor"), program(fleet.house)

    for one in asked(program_, "tenants")["tenants"]:
        page = words(browser.get(f"/tenants/{one['reference']}").text)
        story = asked(program_, f"tenants/{one['reference']}")
        ranges = [one["flop"], *story["flop_by_days"].values(), *(run["flop"] for run in story["runs"][:20])]
        assert [] == [written(bounds) for bounds in ranges if written(bounds) not in page]


def words(page: str) -> str:
    """What a page says, without its marks."""
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page)))


def written(bounds: dict[str, int]) -> str:
    """A range as pages have it."""
    return f"{flop(bounds['central'])} ({flop(bounds['low'])} to {flop(bounds['high'])})"


def test_exported_tables_say_the_same(fleet: Fleet) -> None:
    """As CSV and as JSON: what the API and the command line say of each tenant and each flag."""
    browser, program_ = fleet.house.signed_in("auditor"), program(fleet.house)
    tenants = {one["tenant"]: one for one in asked(program_, "tenants")["tenants"]}
    text, _ = unpacked(exported(browser, "tenants", "csv"))

    for row in csv.DictReader(io.StringIO(text, newline="")):
        expected = tenants.pop(row["tenant"])
        assert expected["flop"] == {bound: int(row[f"flop_{bound}"]) for bound in expected["flop"]}
        assert expected["accelerator_us"] == json.loads(row["accelerator_us"])
    assert {} == tenants
    told = {one["flag"]: one for one in fleet.told("flags")}
    assert told == {one["flag"]: one for one in exported(browser, "flags").json()["rows"]}
    runs = exported(browser, "runs").json()["rows"]
    assert by_run(fleet.told("runs", "--limit", "1000")) == by_run(runs)


def by_run(found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Runs by their id."""
    return {one["run"]: one for one in found}


def test_the_overview_counts_what_the_lists_have(fleet: Fleet) -> None:
    """Tenants by their worst finding, flags by level, cases by list."""
    browser = program(fleet.house)
    found, tenants, flags = (asked(browser, path) for path in ("overview", "tenants", "flags"))

    assert tenants["total"] == found["tenants"] == len(tenants["tenants"])
    assert flags["total"] == sum(found["flags"].values())
    for level, count in found["flags"].items():
        assert count == asked(browser, f"flags?level={level}")["total"]
    assert sum(bool(one["flags"]) for one in tenants["tenants"]) == sum(found["tenants_by_level"].values())
    assert set(get_args(routes.Show)) == set(queue.FILTERS)
    for name, count in found["cases"].items():
        assert count == len(asked(browser, f"cases?limit=100&show={name}")["cases"])


# -- who may see what --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "scopes"), [("viewer", SCOPES), ("auditor", frozenset({Permission.VIEW_CASES}))])
def test_no_name_without_the_permission(fleet: Fleet, name: str, scopes: frozenset[Permission]) -> None:
    """References in the place of tenants and parties, whoever's token it is; sentences that may name them are out."""
    browser = program(fleet.house, name, scopes)
    named = {one["tenant"] for one in fleet.told("tenants")}
    parties = {one["subject"].partition(" ")[2] for one in fleet.told("cases")}

    told = [json.dumps(asked(browser, path)) for path in paths(browser)]

    assert [] == [one for one in sorted(named | parties) for text in told if f'"{one}"' in text or f" {one}" in text]
    references = [one["tenant"] for one in asked(browser, "tenants")["tenants"]]
    assert sorted(map(tenant_reference, named)) == sorted(references)


def test_reading_a_case_with_names_is_written_down(fleet: Fleet) -> None:
    """As on its page; a program without names leaves no trace there."""
    case = asked(program(fleet.house), "cases")["cases"][1]["case"]

    asked(program(fleet.house, "viewer"), f"cases/{case}")
    asked(program(fleet.house, "policy-editor"), f"cases/{case}")

    acts = asked(program(fleet.house), "audit?act=case.read")["rows"]
    assert ["policy-editor (user)"] == [one["who"] for one in acts if one["subject"] == case]


def test_the_audit_without_names(fleet: Fleet) -> None:
    """A token that may read the audit but no names gets the hashes that stand for people, and no free text."""
    browser = program(fleet.house, "auditor", frozenset({Permission.VIEW_CASES, Permission.SEE_AUDIT}))

    rows = asked(browser, "audit?limit=5")["rows"]

    models.Audit.model_validate(asked(browser, "audit"), strict=True)
    assert 5 == len(rows)
    assert all((one["who"], one["body"], one["subject"]) == (one["actor"], {}, "") for one in rows)


REFUSED = [
    (
        "cases?level=loud",
        400,
        "The parameter `level` cannot be used: input should be 'watch', 'warning' or 'critical'.",
    ),
    ("cases?after=1.2", 400, "The parameter `after` cannot be used"),
    ("tenants?limit=0", 400, "The parameter `limit` cannot be used: input should be greater than or equal to 1."),
    ("tenants?offset=x", 400, "The parameter `offset` cannot be used"),
    ("audit?before=9223372036854775808", 400, "The parameter `before` cannot be used"),
    ("cases?show=mine", 403, "The list `mine` is for people who claim cases: ask for another."),
    ("cases/C-0", 404, "There is no such case"),
    ("tenants/none", 404, "There is no such tenant"),
    ("flags/F-0", 404, "There is no such flag"),
    ("flags/%00", 404, "There is no such flag"),
    ("nothing", 404, "There is no such page"),
]


@pytest.mark.parametrize(("path", "status", "sentence"), REFUSED)
def test_what_is_wrong_is_said_in_a_sentence(fleet: Fleet, path: str, status: int, sentence: str) -> None:
    """As JSON, with the request's id; what was sent is not repeated."""
    answer = program(fleet.house).get(f"/api/v1/{path}")
    error = models.Failure.model_validate_json(answer.text, strict=True).error

    assert (status, status) == (answer.status_code, error.status)
    assert error.sentence.startswith(sentence)
    assert answer.headers["X-Request-Id"] == error.request_id


def test_whoever_is_not_known_is_told_how_to_be(fleet: Fleet) -> None:
    """Nobody is sent to a page to sign in; a bad token is named as one; what a role may not, it is told."""
    nobody, wrong = fleet.house.browser(), fleet.house.browser(headers={"Authorization": "Bearer x"})

    for browser, sentence in ((nobody, "Say who asks: a token"), (wrong, "This token lets nobody in")):
        answer = browser.get("/api/v1/cases")
        assert (401, "Bearer") == (answer.status_code, answer.headers["WWW-Authenticate"])
        assert answer.json()["error"]["sentence"].startswith(sentence)
    refused = program(fleet.house, "viewer").get("/api/v1/audit")
    assert (403, "Your role does not permit this") == (refused.status_code, refused.json()["error"]["sentence"][:30])


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_the_api_only_reads(fleet: Fleet, method: str) -> None:
    """Whatever would change something is refused, and said to be so."""
    answer = program(fleet.house).send(method, "/api/v1/cases")

    assert (405, "GET, HEAD") == (answer.status_code, answer.headers["Allow"])
    assert "The API is read with GET and HEAD." == answer.json()["error"]["sentence"]


def test_a_session_of_the_console_reads_too(fleet: Fleet) -> None:
    """Somebody who is signed in can look at what programs get; their own list is there as well."""
    browser = fleet.house.signed_in("reviewer")

    assert asked(program(fleet.house), "tenants") == asked(browser, "tenants")
    assert [] == asked(browser, "cases?show=mine")["cases"]


# -- a page at a time --------------------------------------------------------------------------------------------------


def test_lists_go_on_where_an_answer_ends(fleet: Fleet) -> None:
    """All pages together have everything once, in the order of one that has it all."""
    browser = program(fleet.house)
    whole = asked(browser, "tenants")["tenants"]
    parts = [asked(browser, f"tenants?limit=7&offset={offset}")["tenants"] for offset in range(0, len(whole), 7)]
    cases, place = [], ""
    while place is not None:
        answer = asked(browser, f"cases?limit=2&after={place}")
        cases += answer["cases"]
        place = answer["after"]
    rows, before = [], ""
    while before is not None:
        answer = asked(browser, f"audit?act=user.added&limit=2{before}")
        rows += [one["row"] for one in answer["rows"]]
        before = None if answer["before"] is None else f"&before={answer['before']}"

    assert whole == [one for part in parts for one in part]
    assert asked(browser, "cases?limit=100")["cases"] == cases
    assert len(Role) == len(rows)
    assert sorted(rows, reverse=True) == rows


# -- what others wrote, and what waits for a review --------------------------------------------------------------------


@pytest.fixture
def office(tmp_path: Path) -> Iterator[CaseHouse]:
    house = CaseHouse(tmp_path)
    yield house
    house.close()


def test_a_name_of_whatever_letters_is_told(office: CaseHouse) -> None:
    """What turns text around, marks of pages, formulas: all of it in ASCII, and it comes back."""
    hostile = '=<script>\u202e\u2028"'
    case = office.raise_flag("F-1", tenant=hostile)
    browser = program(office)

    for path in ("cases", f"cases/{case}", "flags", "flags/F-1"):
        answer = browser.get(f"/api/v1/{path}")
        assert (200, True) == (answer.status_code, answer.content.isascii())
    assert hostile == asked(browser, "flags")["flags"][0]["tenant"]


def test_what_waits_for_a_blind_review_is_not_told(office: CaseHouse) -> None:
    """Whoever may review it finds nothing of what was decided; whoever decides nothing finds it all."""
    case = office.raise_flag("F-1")
    browser = office.signed_in("reviewer")
    office.act(browser, case, "claim")
    office.act(browser, case, "decide", **DECIDED)
    office.sample(case)
    paths = (f"cases/{case}", "cases?show=decided", "cases?show=review", "flags/F-1", "flags?closed=true")

    blind = json.dumps([asked(program(office, "senior-two"), path) for path in paths])
    whole = json.dumps([asked(program(office, "auditor"), path) for path in paths])

    assert ([False, False], [True, True]) == (
        [word in blind for word in (REASON, "explained")],
        [word in whole for word in (REASON, "explained")],
    )
