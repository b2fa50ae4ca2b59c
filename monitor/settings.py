"""What a deployment can set: one file, the environment before it, and every problem as one sentence.

`config/monitor.yaml` explains each setting; the defaults there and here are the same, and a test says so.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import yaml
from pydantic import BaseModel, ConfigDict, Field, IPvAnyNetwork, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from monitor.core.blind import SILENCE_MS_MIN
from monitor.core.limits import PPM, Limits
from monitor.core.model import HOUR_MS, SECOND_MS
from monitor.core.notices import Limits as MessageLimits
from monitor.core.notices import Reminding
from monitor.core.people import MINUTE_MS
from monitor.core.people import Limits as SessionLimits
from monitor.core.policy import Level
from monitor.core.retention import Kind
from monitor.errors import SettingsProblem

PREFIX = "FLOPWATCH_"
CONFIG_VARIABLE = "FLOPWATCH_CONFIG"
SETTINGS_BYTES_MAX = 1_000_000
AFFILIATES_TEXT_RETURNS = date(2026, 11, 10)  # unless the suspension of the rule was extended
# A variable this like a setting's name is a typo; others are somebody else's: Kubernetes sets FLOPWATCH_SERVICE_HOST.
TYPO_LIKENESS = 0.85
EXPECTED = {
    "model_type": "A section is expected, with its settings indented below it",
    "dict_type": "A mapping is expected, `name: value` lines indented below it",
    "tuple_type": "A list is expected, `- value` lines or [value, value]",
}

Count = Annotated[int, Field(ge=1, le=10_000_000)]
FILES_NAME = r"^[a-z0-9][a-z0-9_-]{0,31}$"


class Foreign(BaseModel):
    """What records are that are no events of ours, and what is to be known of them to translate them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    topic: str | None = Field(default=None, min_length=1)  # where they are; only in `intake`
    dialect: Literal[
        "auto",
        "canonical",
        "cloudtrail",
        "eventbridge",
        "gcp",
        "azure",
        "nova",
        "kubernetes",
        "slurm",
        "dcgm",
    ] = "auto"
    source: str = Field(min_length=1, max_length=200)
    tenant: str | None = Field(default=None, min_length=1, max_length=1_024)
    within: str | None = Field(default=None, min_length=1, max_length=1_024)
    zone: str = "UTC"
    lease_seconds: int | None = Field(default=None, ge=1, le=366 * 86_400)

    @field_validator("zone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise ValueError("is no time zone, such as Europe/Berlin") from None
        return name


class Files(BaseModel):
    """Event files; with `foreign` each line is a record of another format."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    paths: tuple[str, ...] = ()
    follow: bool = True
    foreign: Foreign | None = None


class Intake(BaseModel):
    """What `flopwatch run --role intake` translates; the topics that it writes are those of `kafka`.

    `files`: sets of files by names of their own, whose paths may be patterns.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    topics: tuple[Foreign, ...] = ()
    group: str = Field(default="flopwatch-intake", min_length=1)
    files: dict[Annotated[str, Field(pattern=FILES_NAME)], Files] = {}
    positions_file: Path | None = None
    record_bytes_max: int = Field(default=64_000_000, ge=1_024, le=1_000_000_000)

    @model_validator(mode="after")
    def _names_each_once(self) -> Intake:
        names = [one.topic for one in self.topics]
        if None in names or len(names) != len(set(names)):
            raise ValueError("each entry needs a `topic` of its own")
        both = sorted(self.files.keys() & set(names))
        if both:
            raise ValueError(f"`topics` and `files` both name {both[0]}; give the files another name")
        return self

    @model_validator(mode="after")
    def _knows_its_files(self) -> Intake:
        for name, files in self.files.items():
            if not files.paths or files.foreign is None or files.foreign.topic is not None:
                raise ValueError(f"`files.{name}` needs `paths`, and `foreign` without a `topic`")
        if self.files and self.positions_file is None:
            raise ValueError("`files` needs `positions_file`, where it is kept how far each file was read")
        return self

    @property
    def entries(self) -> Mapping[str, Foreign]:
        """What is known of each topic, and of each set of files, by name."""
        topics = {one.topic: one for one in self.topics if one.topic is not None}
        return topics | {name: files.foreign for name, files in self.files.items() if files.foreign is not None}


class Tls(BaseModel):
    """Files for encrypted connections; they are read again when they change."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ca_file: Path | None = None  # None: the system's authorities
    certificate_file: Path | None = None
    key_file: Path | None = None
    key_password_file: Path | None = None


class Sasl(BaseModel):
    """How we say who we are; secrets are in files and are read again when they change."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mechanism: Literal["PLAIN", "SCRAM-SHA-512", "OAUTHBEARER"] | None = None
    username: str = ""
    password_file: Path | None = None
    token_file: Path | None = None

    @model_validator(mode="after")
    def _has_its_secret(self) -> Sasl:
        if self.mechanism == "OAUTHBEARER" and self.token_file is None:
            raise ValueError("OAUTHBEARER needs `token_file`")
        if self.mechanism in ("PLAIN", "SCRAM-SHA-512") and not (self.username and self.password_file):
            raise ValueError(f"{self.mechanism} needs `username` and `password_file`")
        return self


class Kafka(BaseModel):
    """The topics that the daemon reads, and how it connects."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bootstrap_servers: tuple[str, ...] = ()
    tenant_topic: str = Field(default="flopwatch.tenants", min_length=1)
    control_topic: str = Field(default="flopwatch.control", min_length=1)
    dead_letter_topic: str | None = None
    group: str = Field(default="flopwatch", min_length=1)
    client: Literal["kafka-python", "confluent-kafka"] = "kafka-python"
    static_member: str | None = None
    partitioner: Literal["murmur2", "crc32"] = "murmur2"
    session_seconds: float = Field(default=45.0, ge=6, le=1_800)
    max_poll_seconds: float = Field(default=300.0, ge=6, le=3_600)
    request_seconds: float = Field(default=30.0, ge=1, le=600)
    allow_insecure: bool = False
    tls: Tls = Tls()
    sasl: Sasl = Sasl()


class DeadLetters(BaseModel):
    """When unreadable records are too many (ruling 8)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ratio_max: float = Field(default=0.01, ge=0, le=1)
    window: Count = 10_000
    seen_min: Count = 1_000
    run_max: Count = 1_000

    @model_validator(mode="after")
    def _window_holds_the_least(self) -> DeadLetters:
        if self.seen_min > self.window:
            raise ValueError("`seen_min` must not be greater than `window`")
        return self

    @property
    def limits(self) -> Limits:
        """The same as the core counts them."""
        return Limits(round(self.ratio_max * PPM), self.window, self.seen_min, self.run_max)


class ScreeningList(BaseModel):
    """A file of a screening list."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")
    path: Path
    format: Literal["us-csl-csv", "us-csl-json", "opensanctions-csv", "ftm-jsonl", "flopwatch-yaml"] | None = (
        None  # None: by its content
    )
    days_max: int = Field(default=30, ge=1, le=3_650)  # how old it may be before people are told


class ReportingTrigger(BaseModel):
    """Where something begins for an allocation: a quota is exceeded, a form must be filled in, somebody looks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=200)
    accelerators: int | None = Field(default=None, ge=1, le=10_000_000)
    accelerator_hours: int | None = Field(default=None, ge=1, le=10**12)

    @model_validator(mode="after")
    def _has_one_amount(self) -> ReportingTrigger:
        if (self.accelerators is None) == (self.accelerator_hours is None):
            raise ValueError("a trigger has either `accelerators` or `accelerator_hours`")
        return self


Takes = tuple[Literal["page", "queue", "escalation"], ...]
SINK_NAME = r"^[a-z0-9][a-z0-9_-]{0,31}$"
HTTP_URL = r"^https?://[^\s/?#@]+(/[^\s#]*)?$"
MAILBOX = r"^[^\s@,;<>]+@[^\s@,;<>]+$"
SECONDS_MAX = 60.0  # that a receiver may take
LOOPBACK = ("127.0.0.1", "::1", "localhost")
HEADERS_OF_OTHERS = ("authorization", "cookie", "host", "origin", "user-agent")


class WebhookSink(BaseModel):
    """A URL that takes notices, signed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=SINK_NAME)
    kind: Literal["webhook"]
    takes: Takes = ("page", "queue")
    url: str = Field(pattern=HTTP_URL)
    key_file: Path
    ca_file: Path | None = None
    allow_insecure: bool = False
    allow_private: bool = False
    timeout_seconds: float = Field(default=10.0, ge=0.1, le=SECONDS_MAX)

    @model_validator(mode="after")
    def _is_encrypted(self) -> WebhookSink:
        _ask_for_https(self.url, self.allow_insecure)
        return self


class EmailSink(BaseModel):
    """A mail server, and whom it sends notices to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=SINK_NAME)
    kind: Literal["email"]
    takes: Takes = ("page", "queue")
    host: str = Field(min_length=1, pattern=r"^\S+$")
    port: int = Field(default=587, ge=1, le=65_535)
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    sender: str = Field(pattern=MAILBOX)
    to: tuple[Annotated[str, Field(pattern=MAILBOX)], ...] = Field(min_length=1)
    username: str = ""
    password_file: Path | None = None
    ca_file: Path | None = None
    allow_insecure: bool = False
    allow_private: bool = False
    timeout_seconds: float = Field(default=20.0, ge=0.1, le=SECONDS_MAX)

    @model_validator(mode="after")
    def _is_encrypted(self) -> EmailSink:
        if self.tls == "none" and not self.allow_insecure:
            raise ValueError("`tls: none` needs `allow_insecure: true`: everybody on the way can read what is sent")
        if self.password_file is not None and (self.tls == "none" or not self.username):
            raise ValueError("a password needs `username`, and `tls` other than none")
        return self


class AlertmanagerSink(BaseModel):
    """An Alertmanager that is told which flags stand."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=SINK_NAME)
    kind: Literal["alertmanager"]
    takes: Takes = ("page", "queue")
    url: str = Field(pattern=HTTP_URL)
    token_file: Path | None = None
    ca_file: Path | None = None
    allow_insecure: bool = False
    allow_private: bool = False
    timeout_seconds: float = Field(default=10.0, ge=0.1, le=SECONDS_MAX)

    @model_validator(mode="after")
    def _is_encrypted(self) -> AlertmanagerSink:
        _ask_for_https(self.url, self.allow_insecure)
        return self


class TopicSink(BaseModel):
    """A topic of the Kafka that `kafka` names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=SINK_NAME)
    kind: Literal["kafka"]
    takes: Takes = ("page", "queue")
    topic: str = Field(min_length=1)
    timeout_seconds: float = Field(default=30.0, ge=1, le=SECONDS_MAX)


def _ask_for_https(url: str, allow_insecure: bool) -> None:
    if url.startswith("http:") and not allow_insecure:
        raise ValueError("`url` begins with http: and needs `allow_insecure: true`, or https")


NoticeSink = Annotated[WebhookSink | EmailSink | AlertmanagerSink | TopicSink, Field(discriminator="kind")]


class QueueHours(BaseModel):
    """How long a flag of a level may be open before people are reminded of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    watch: int = Field(default=336, ge=1, le=87_600)
    warning: int = Field(default=72, ge=1, le=87_600)
    critical: int = Field(default=24, ge=1, le=87_600)


class Notices(BaseModel):
    """How people are told of flags."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sinks: tuple[NoticeSink, ...] = ()
    group_seconds: int = Field(default=60, ge=0, le=3_600)
    messages_an_hour: int = Field(default=30, ge=1, le=3_600)
    reminder_hours: tuple[Annotated[int, Field(ge=1, le=8_760)], ...] = (168, 24)
    queue_hours: QueueHours = QueueHours()

    @model_validator(mode="after")
    def _tells_sinks_apart(self) -> Notices:
        names = [one.name for one in self.sinks]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"`sinks` names {twice[0]} twice; give each sink its own name")
        return self

    @property
    def limits(self) -> MessageLimits:
        """The same as the core counts them."""
        return MessageLimits(self.group_seconds * SECOND_MS, self.messages_an_hour)

    @property
    def reminding(self) -> Reminding:
        """The same as the core counts it."""
        hours = self.queue_hours
        queue = {Level.WATCH: hours.watch, Level.WARNING: hours.warning, Level.CRITICAL: hours.critical}
        before = tuple(one * HOUR_MS for one in self.reminder_hours)
        return Reminding(before, {level: one * HOUR_MS for level, one in queue.items()})


class Policies(BaseModel):
    """The operator's own policies, beside those that are shipped, and by whose word they count."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: Path | None = None
    approval: Literal["files", "console"] = "files"

    @model_validator(mode="after")
    def _has_what_is_approved(self) -> Policies:
        if self.approval == "console" and self.folder is None:
            raise ValueError("`approval: console` is for policies of your own; name their `folder`")
        return self


class Audit(BaseModel):
    """Where checkpoints of the audit go."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    checkpoint_file: Path | None = None
    checkpoint_topic: str | None = Field(default=None, min_length=1)
    checkpoint_minutes: int = Field(default=5, ge=1, le=1_440)


class Retention(BaseModel):
    """How many days what is kept of each kind; None: for ever."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cases_days: int | None = Field(default=None, ge=1, le=36_500)
    notices_days: int | None = Field(default=None, ge=1, le=36_500)
    dead_letters_days: int | None = Field(default=None, ge=1, le=36_500)
    sign_ins_days: int | None = Field(default=None, ge=1, le=36_500)
    personal_days: int | None = Field(default=None, ge=1, le=36_500)

    @property
    def days(self) -> Mapping[Kind, int | None]:
        """The same by kind."""
        return {kind: getattr(self, f"{kind.value}_days") for kind in Kind}


class Http(BaseModel):
    """Where /metrics, /healthz and /readyz answer.

    `tenants_shown`: so many of the largest tenants of a worker have series of their own, by opaque references; 0: none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(default="127.0.0.1", min_length=1)
    port: int = Field(default=9464, ge=0, le=65_535)
    tenants_shown: int = Field(default=200, ge=0, le=1_000)


class Console(BaseModel):
    """Where the web console answers, by which address people reach it, and how long they stay signed in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(default="127.0.0.1", min_length=1)
    port: int = Field(default=9465, ge=0, le=65_535)
    origin: str | None = Field(default=None, pattern=r"^https://[a-z0-9.-]+(:\d{1,5})?$")
    proxies: tuple[IPvAnyNetwork, ...] = ()
    user_header: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,63}$")
    idle_minutes: int = Field(default=30, ge=1, le=1_440)
    session_hours: int = Field(default=12, ge=1, le=168)
    body_bytes_max: int = Field(default=1_000_000, ge=10_000, le=100_000_000)
    survey_seconds: float = Field(default=60.0, ge=1, le=3_600)
    reports: Path | None = None

    @model_validator(mode="after")
    def _is_encrypted(self) -> Console:
        if self.origin is None and self.host not in LOOPBACK:
            raise ValueError(
                f"`host` is {self.host}, which others can reach: set `origin` to the https address of the proxy that "
                "encrypts, or keep to 127.0.0.1"
            )
        return self

    @model_validator(mode="after")
    def _trusts_a_proxy_by_its_address(self) -> Console:
        if self.user_header is not None and (not self.proxies or self.origin is None):
            raise ValueError("`user_header` needs `proxies`, the addresses that may send it, and `origin`")
        if self.user_header is not None and self.user_header.lower() in HEADERS_OF_OTHERS:
            raise ValueError(f"`user_header` cannot be {self.user_header}, which browsers send themselves")
        return self

    @property
    def limits(self) -> SessionLimits:
        """The same as the core counts them."""
        return SessionLimits(self.idle_minutes * MINUTE_MS, self.session_hours * HOUR_MS)


class Settings(BaseSettings):
    """All settings, validated."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=PREFIX, env_nested_delimiter="__", hide_input_in_errors=True
    )

    store_url: str = Field(default="sqlite:///flopwatch.db", min_length=1)
    files: Files = Files()
    kafka: Kafka = Kafka()
    intake: Intake = Intake()
    record_bytes_max: int = Field(default=1_000_000, ge=1_024, le=100_000_000)
    batch_records_max: int = Field(default=2_000, ge=1, le=100_000)
    commit_seconds: float = Field(default=1.0, ge=0.01, le=60)
    tick_seconds: float = Field(default=1.0, ge=0.01, le=3_600)
    lateness_seconds: int = Field(default=3_600, ge=0, le=366 * 86_400)
    clock_slack_seconds: int = Field(default=5, ge=0, le=86_400)
    silence_seconds: int = Field(default=SILENCE_MS_MIN // SECOND_MS, ge=1, le=86_400)
    dead_letters: DeadLetters = DeadLetters()
    allowed_sources: dict[str, tuple[str, ...]] = {}
    lists: tuple[ScreeningList, ...] = ()
    lists_state: Path | None = None
    triggers: tuple[ReportingTrigger, ...] = ()
    bis_affiliates_suspended_until: date | None = Field(default=None, ge=date(2025, 11, 10))
    policies: Policies = Policies()
    notices: Notices = Notices()
    audit: Audit = Audit()
    retention: Retention = Retention()
    http: Http = Http()
    console: Console = Console()
    stalled_seconds: float = Field(default=60.0, ge=1, le=3_600)
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @property
    def affiliates_rule_returns(self) -> date:
        """The first day on which the affiliates rule holds again, as the settings say or else as its text does."""
        return self.bis_affiliates_suspended_until or AFFILIATES_TEXT_RETURNS

    @model_validator(mode="after")
    def _tells_lists_apart(self) -> Settings:
        names = [one.name.lower() for one in self.lists]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"`lists` names {twice[0]} twice; give each list its own name")
        return self

    @model_validator(mode="after")
    def _has_a_kafka_for_topics(self) -> Settings:
        if not self.kafka.bootstrap_servers and any(one.kind == "kafka" for one in self.notices.sinks):
            raise ValueError("`notices.sinks` has one of kind kafka, which needs `kafka.bootstrap_servers`")
        if not self.kafka.bootstrap_servers and self.audit.checkpoint_topic is not None:
            raise ValueError("`audit.checkpoint_topic` is a topic, which needs `kafka.bootstrap_servers`")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment goes before the file, whose content is given to the constructor; nothing else is read."""
        return env_settings, init_settings

    @property
    def lateness_ms(self) -> int:
        """`lateness_seconds` in milliseconds."""
        return self.lateness_seconds * SECOND_MS

    @property
    def silence_ms(self) -> int:
        """`silence_seconds` in milliseconds."""
        return self.silence_seconds * SECOND_MS

    @property
    def clock_slack_ms(self) -> int:
        """`clock_slack_seconds` in milliseconds."""
        return self.clock_slack_seconds * SECOND_MS

    @property
    def digest(self) -> str:
        """What tells two configurations apart without showing either."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def setting_names(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[str]:
    """The names of all settings, sections included: `http`, `http.host`, ..."""
    for name, field in model.model_fields.items():
        yield prefix + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from setting_names(field.annotation, f"{prefix}{name}.")


def load_settings(path: Path | None = None, packaged: Path | None = None) -> Settings:
    """The settings of `path`, else of the file that FLOPWATCH_CONFIG names, else of `packaged` where it exists.

    Raises:
        SettingsProblem: with one sentence that names the setting and what is expected.
    """
    if path is None and os.environ.get(CONFIG_VARIABLE):
        path = Path(os.environ[CONFIG_VARIABLE])
    if path is None and packaged is not None and packaged.is_file():
        path = packaged
    content = {} if path is None else _read(path)
    _refuse_typos(os.environ)
    try:
        return Settings(**content)
    except ValidationError as problem:
        raise SettingsProblem(_sentence(problem, path)) from None
    except SettingsError as problem:
        what = str(problem).partition(" from source")[0]
        raise SettingsProblem(f"The environment: {what}; sections, lists and mappings are written as JSON.") from None


def _read(path: Path) -> dict[str, Any]:
    """The content of a settings file as a mapping."""
    try:
        if path.stat().st_size > SETTINGS_BYTES_MAX:
            raise SettingsProblem(f"{path} is too large for a settings file; name another one with --config.")
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as problem:
        reason = (problem.strerror or "it cannot be read").lower()
        raise SettingsProblem(f"The settings file {path} cannot be read: {reason}.") from None
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as problem:
        mark = getattr(problem, "problem_mark", None)
        where = "" if mark is None else f", line {mark.line + 1}"
        raise SettingsProblem(f"{path}{where} is not YAML; compare it with the packaged monitor.yaml.") from None
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise SettingsProblem(f"{path} must hold settings as `name: value`; compare it with the packaged monitor.yaml.")
    return content


def _refuse_typos(environment: Mapping[str, str]) -> None:
    known = {PREFIX + name.upper().replace(".", "__") for name in setting_names()} | {CONFIG_VARIABLE}
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in known:
            names = [one.removeprefix(PREFIX) for one in known]
            nearest = get_close_matches(name.removeprefix(PREFIX), names, 1, TYPO_LIKENESS)
            if nearest:
                raise SettingsProblem(
                    f"The environment variable {name} is no setting; did you mean {PREFIX}{nearest[0]}?"
                )


def _sentence(problem: ValidationError, path: Path | None) -> str:
    """The first thing that is wrong, and what is expected."""
    error = problem.errors(include_url=False)[0]
    name = ".".join(str(part) for part in error["loc"])
    where = "The settings" if path is None else str(path)
    if error["type"] == "extra_forbidden":
        nearest = get_close_matches(name, list(setting_names()), 1, 0.5)
        hint = f" did you mean `{nearest[0]}`?" if nearest else " see the packaged monitor.yaml."
        return f"{where}: `{name}` is no setting;{hint}"
    what = EXPECTED.get(error["type"], error["msg"].removeprefix("Value error, "))
    return f"{where} (or the environment): `{name}`: {what[:1].lower()}{what[1:]}."
