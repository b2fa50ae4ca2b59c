"""Settings: where they come from, and one clear sentence for whatever is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from monitor.core.limits import Limits
from monitor.core.policy import LEVELS
from monitor.errors import SettingsProblem
from monitor.reference.root import config_root
from monitor.settings import Settings, load_settings, setting_names

PACKAGED = config_root() / "monitor.yaml"


@pytest.fixture(autouse=True)
def _no_settings_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("FLOPWATCH_"):
            monkeypatch.delenv(name)


def written(folder: Path, content: str) -> Path:
    path = folder / "monitor.yaml"
    path.write_text(content, encoding="utf-8")
    return path


def test_the_packaged_file_says_what_the_code_defaults_to() -> None:
    """Somebody who copies the packaged file and changes nothing changes nothing."""
    assert Settings() == load_settings(PACKAGED)


def test_the_packaged_file_explains_every_setting() -> None:
    """Each setting stands in the packaged file, with a comment before it or its section."""
    text = PACKAGED.read_text(encoding="utf-8")

    missing = [name for name in setting_names() if f"{name.rpartition('.')[2]}:" not in text]
    assert [] == missing
    blocks = text.split("\n\n")[1:]
    assert [] == [block for block in blocks if not block.startswith("#")]


def test_without_a_file_the_defaults_hold() -> None:
    """No file at all is a sound configuration; a packaged file that is missing is none."""
    assert Settings() == load_settings()
    assert Settings() == load_settings(None, Path("no-such-folder/monitor.yaml"))


def test_the_file_named_goes_before_the_variable_and_that_before_the_packaged_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--config, then FLOPWATCH_CONFIG, then the packaged file."""
    files = {}
    for port in (1, 2, 3):
        (tmp_path / str(port)).mkdir()
        files[port] = written(tmp_path / str(port), f"http: {{port: {port}}}")

    assert 3 == load_settings(None, files[3]).http.port
    monkeypatch.setenv("FLOPWATCH_CONFIG", str(files[2]))
    assert 2 == load_settings(None, files[3]).http.port
    assert 1 == load_settings(files[1], files[3]).http.port


def test_the_environment_goes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable changes one setting of a section and leaves its neighbours as the file has them."""
    path = written(tmp_path, "http: {host: '127.0.0.2', port: 1}\nstore_url: sqlite:///file.db")
    monkeypatch.setenv("FLOPWATCH_HTTP__PORT", "2")
    monkeypatch.setenv("FLOPWATCH_FILES__PATHS", '["a.jsonl", "b.jsonl.gz"]')

    settings = load_settings(path)

    assert ("127.0.0.2", 2) == (settings.http.host, settings.http.port)
    assert ("a.jsonl", "b.jsonl.gz") == settings.files.paths
    assert "sqlite:///file.db" == settings.store_url


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("stor_url: x", "`stor_url` is no setting; did you mean `store_url`?"),
        ("files: {path: [a]}", "`files.path` is no setting; did you mean `files.paths`?"),
        ("zzzzzzz: 1", "`zzzzzzz` is no setting; see the packaged monitor.yaml."),
        ("commit_seconds: fast", "`commit_seconds`: input should be a valid number"),
        ("commit_seconds: 0", "`commit_seconds`: input should be greater than or equal to 0.01"),
        ("http: {port: 99999}", "`http.port`: input should be less than or equal to 65535"),
        ("http: 3", "`http`: a section is expected"),
        ("files: {paths: events.jsonl}", "`files.paths`: a list is expected"),
        ("allowed_sources: [a]", "`allowed_sources`: a mapping is expected"),
        ("log_level: loud", "`log_level`: input should be 'debug', 'info', 'warning' or 'error'"),
        ("dead_letters: {window: 100}", "`seen_min` must not be greater than `window`"),
        ("store_url: ''", "`store_url`: string should have at least 1 character"),
        ("audit: {checkpoint_topic: audit}", "is a topic, which needs `kafka.bootstrap_servers`"),
        ("audit: {checkpoint_minutes: 0}", "`audit.checkpoint_minutes`: input should be greater than or equal to 1"),
        ("intake: {topics: [{source: s}]}", "each entry needs a `topic` of its own"),
        ("intake: {files: {trail: {paths: [a]}}}", "`files.trail` needs `paths`, and `foreign` without a `topic`"),
        ("intake: {files: {trail: {foreign: {source: s}}}}", "`files.trail` needs `paths`"),
        ("intake: {files: {trail: {paths: [a], foreign: {source: s}}}}", "`files` needs `positions_file`"),
        ("intake: {files: {'*': {paths: [a], foreign: {source: s}}}}", "should match pattern"),
        (
            "intake: {topics: [{topic: t, source: s}], files: {t: {paths: [a], foreign: {source: s}}}}",
            "`topics` and `files` both name t",
        ),
        ("store_url: [", "line 1 is not YAML"),
        ("- store_url", "must hold settings as `name: value`"),
        ("1: 2", "must hold settings as `name: value`"),
        ("\0", "is not YAML"),
    ],
)
def test_what_is_wrong_in_a_file_is_one_sentence_that_names_it(tmp_path: Path, content: str, sentence: str) -> None:
    """The file, the setting and what is expected, in one line."""
    path = written(tmp_path, content)

    with pytest.raises(SettingsProblem) as caught:
        load_settings(path)

    assert sentence in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("FLOPWATCH_STORE_URI", "x", "FLOPWATCH_STORE_URI is no setting; did you mean FLOPWATCH_STORE_URL?"),
        ("FLOPWATCH_HTTP__PRT", "1", "FLOPWATCH_HTTP__PRT is no setting; did you mean FLOPWATCH_HTTP__PORT?"),
        ("FLOPWATCH_HTTP__PORT", "high", "`http.port`: input should be a valid integer"),
        ("FLOPWATCH_FILES__PATHS", "a.jsonl", "written as JSON"),
        ("FLOPWATCH_HTTP", "{", "written as JSON"),
    ],
)
def test_what_is_wrong_in_the_environment_is_one_sentence_too(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    """A misspelt variable is not passed over in silence."""
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsProblem, match=r"^[^\n]*$") as caught:
        load_settings()

    assert sentence in str(caught.value)


@pytest.mark.parametrize("name", ["FLOPWATCH_SERVICE_HOST", "FLOPWATCH_PORT", "FLOPWATCH_PORT_9464_TCP_ADDR"])
def test_variables_of_others_are_left_alone(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Kubernetes sets variables for a service called flopwatch; they are no settings."""
    monkeypatch.setenv(name, "tcp://10.0.0.1:9464")

    assert Settings() == load_settings()


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A missing file, a folder and one that is far too large each say what to do."""
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * 1_000_001)

    for path, sentence in [
        (tmp_path / "none.yaml", "no such file or directory"),
        (tmp_path, "is a directory"),
        (large, "too large"),
    ]:
        with pytest.raises(SettingsProblem, match=sentence) as caught:
            load_settings(path)
        assert str(path) in str(caught.value)


def test_settings_do_not_change() -> None:
    """What was validated stays as it is."""
    with pytest.raises(ValueError, match="frozen"):
        Settings().commit_seconds = 5.0  # type: ignore[misc]


def test_settings_in_the_units_of_the_core() -> None:
    """The core has no float and no seconds."""
    settings = Settings(lateness_seconds=60, clock_slack_seconds=2)

    assert (60_000, 2_000) == (settings.lateness_ms, settings.clock_slack_ms)
    assert Limits() == settings.dead_letters.limits


def test_the_digest_tells_configurations_apart() -> None:
    """Equal settings have equal digests, others not."""
    assert Settings().digest == Settings().digest
    assert Settings().digest != Settings(commit_seconds=2.0).digest


# -- sinks of notices ------------------------------------------------------------------------------------------------

HOOK = {"name": "hook", "kind": "webhook", "url": "https://hooks.example/x?y=z", "key_file": "key"}
MAIL = {"name": "mail", "kind": "email", "host": "mail.example", "sender": "f@example.org", "to": ["a@example.org"]}
MANAGED = {"name": "am", "kind": "alertmanager", "url": "https://am.example:9093"}
TOPIC = {"name": "topic", "kind": "kafka", "topic": "flags"}


def test_sinks_are_read(tmp_path: Path) -> None:
    """Each kind with what it needs; pages and the queue go to it, and nothing inside or without TLS is allowed."""
    sinks = [HOOK, MAIL, MANAGED, TOPIC]
    content = {"kafka": {"bootstrap_servers": ["k.example:9092"]}, "notices": {"sinks": sinks}}
    settings = load_settings(written(tmp_path, yaml.safe_dump(content)))

    assert ["hook", "mail", "am", "topic"] == [one.name for one in settings.notices.sinks]
    assert {("page", "queue")} == {one.takes for one in settings.notices.sinks}
    assert [False] * 6 == [
        allowed
        for one in settings.notices.sinks
        if one.kind != "kafka"
        for allowed in (one.allow_private, one.allow_insecure)
    ]


@pytest.mark.parametrize(
    ("sink", "sentence"),
    [
        ({**HOOK, "url": "http://hooks.example"}, "needs `allow_insecure: true`, or https"),
        ({**HOOK, "url": "ftp://hooks.example"}, "should match pattern"),
        ({**HOOK, "url": "https://user:word@hooks.example"}, "should match pattern"),
        ({**HOOK, "name": "a hook"}, "should match pattern"),
        ({**HOOK, "key_file": None}, "key_file"),
        ({**HOOK, "takes": ["everything"]}, "takes"),
        ({**HOOK, "timeout_seconds": 3_600}, "less than or equal to 60"),
        ({**HOOK, "kind": "pigeon"}, "kind"),
        ({"name": "hook"}, "kind"),
        ({**MANAGED, "url": "http://am.example"}, "needs `allow_insecure: true`, or https"),
        ({**MAIL, "tls": "none"}, "`tls: none` needs `allow_insecure: true`"),
        ({**MAIL, "password_file": "p"}, "a password needs `username`, and `tls` other than none"),
        (
            {**MAIL, "tls": "none", "allow_insecure": True, "username": "u", "password_file": "p"},
            "a password needs `username`, and `tls` other than none",
        ),
        ({**MAIL, "to": []}, "at least 1 item"),
        ({**MAIL, "to": ["a@example.org\nBcc: all"]}, "should match pattern"),
        ({**MAIL, "sender": "nobody"}, "should match pattern"),
        (TOPIC, "which needs `kafka.bootstrap_servers`"),
    ],
)
def test_sinks_that_cannot_be_used(tmp_path: Path, sink: dict[str, object], sentence: str) -> None:
    """One sentence each, and the secret of none is in it."""
    with pytest.raises(SettingsProblem) as caught:
        load_settings(written(tmp_path, yaml.safe_dump({"notices": {"sinks": [sink]}})))

    assert sentence in str(caught.value)
    assert "word" not in str(caught.value).replace("password", "")


def test_sinks_have_names_of_their_own(tmp_path: Path) -> None:
    """What was sent is written down by them."""
    with pytest.raises(SettingsProblem, match="`sinks` names hook twice"):
        load_settings(written(tmp_path, yaml.safe_dump({"notices": {"sinks": [HOOK, HOOK]}})))


def test_notices_in_the_units_of_the_core() -> None:
    """Hours and seconds become milliseconds."""
    notices = Settings().notices

    assert (60_000, 30) == notices.limits
    assert (168 * 3_600_000, 24 * 3_600_000) == notices.reminding.before
    assert [336, 72, 24] == [notices.reminding.queue[level] // 3_600_000 for level in LEVELS]


# -- the console -----------------------------------------------------------------------------------------------------

PROXIED = {
    "origin": "https://flopwatch.example",
    "proxies": ["10.0.0.7", "10.1.0.0/24"],
    "user_header": "X-Remote-User",
}


def test_the_console_is_read(tmp_path: Path) -> None:
    """Its address, the proxies in front of it, and how long people stay signed in, in the units of the core."""
    content = {"console": {**PROXIED, "host": "0.0.0.0", "idle_minutes": 5, "session_hours": 2}}
    console = load_settings(written(tmp_path, yaml.safe_dump(content))).console

    assert ["10.0.0.7/32", "10.1.0.0/24"] == [str(network) for network in console.proxies]
    assert (300_000, 7_200_000) == console.limits
    assert (1_800_000, 43_200_000) == Settings().console.limits
    assert load_settings(written(tmp_path, yaml.safe_dump(content))).digest != Settings().digest


@pytest.mark.parametrize(
    ("console", "sentence"),
    [
        ({"host": "0.0.0.0"}, "set `origin` to the https address"),
        ({"host": "10.0.0.5"}, "set `origin` to the https address"),
        ({"origin": "http://flopwatch.example"}, "should match pattern"),
        ({"origin": "https://flopwatch.example/"}, "should match pattern"),
        ({"origin": "https://Flopwatch.example"}, "should match pattern"),
        ({**PROXIED, "proxies": []}, "`user_header` needs `proxies`"),
        ({**PROXIED, "origin": None}, "`user_header` needs `proxies`"),
        ({**PROXIED, "user_header": "Cookie"}, "cannot be Cookie"),
        ({**PROXIED, "user_header": "X: y"}, "should match pattern"),
        ({**PROXIED, "proxies": ["proxy.example"]}, "value is not a valid IPv4 or IPv6 network"),
        ({**PROXIED, "proxies": ["10.0.0.7/24"]}, "value is not a valid IPv4 or IPv6 network"),
        ({"idle_minutes": 0}, "greater than or equal to 1"),
        ({"session_hours": 1_000}, "less than or equal to 168"),
        ({"body_bytes_max": 1}, "greater than or equal to 10000"),
    ],
)
def test_a_console_that_cannot_be(tmp_path: Path, console: dict[str, object], sentence: str) -> None:
    """Nothing that others can reach without TLS, and no proxy that anybody could be."""
    with pytest.raises(SettingsProblem) as caught:
        load_settings(written(tmp_path, yaml.safe_dump({"console": console})))

    assert sentence in str(caught.value)
