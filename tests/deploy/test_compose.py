"""`deploy/compose.yaml`: it is valid, confined, and agrees with the settings and files that it puts together."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import psycopg
import pytest
import yaml
from sqlalchemy.engine import make_url

from monitor.errors import StoreProblem
from monitor.settings import Settings
from monitor.store.sql import SqlStore
from tests.deploy.shipped import DEPLOY, ROOT, settings_of, tool
from tests.servers.kafka import Topics, wait_for
from tests.store.cluster import USER, Cluster, private

FILE = DEPLOY / "compose.yaml"
COMPOSE = yaml.safe_load(FILE.read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = sorted(name for name, service in SERVICES.items() if service["image"].startswith("flopwatch:"))
START_SECONDS = 90
# What Alertmanager, Prometheus and Grafana are told in their own files, and where we ask them.
PORTS = {"alertmanager": 9093, "prometheus": 9090, "grafana": 3000, "proxy": 9443}


def read(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))


def mounts(service: str) -> dict[str, str]:
    """What is mounted into a service: {path in the container: volume, or path from deploy/}."""
    parts = [one.split(":") for one in SERVICES[service].get("volumes", [])]
    return {target: source for source, target, *_ in parts}


def settings(service: str) -> Settings:
    """What a service of ours is set to."""
    environment = SERVICES[service]["environment"]
    return settings_of(environment, DEPLOY / mounts(service)[environment["FLOPWATCH_CONFIG"]])


def test_it_is_valid() -> None:
    """The reader that Docker Compose has takes it, with everything that it refers to inside the file."""
    read = tool("compose-spec", FILE)

    assert (0, "") == (read.returncode, read.stderr)


def test_a_mistake_is_seen(tmp_path: Path) -> None:
    """The reader is not one that takes anything: a setting that Compose does not know is refused."""
    wrong = tmp_path / "compose.yaml"
    wrong.write_text(FILE.read_text(encoding="utf-8").replace("read_only:", "readonly:"), encoding="utf-8")

    assert 0 != tool("compose-spec", wrong).returncode


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_is_confined(name: str) -> None:
    """Each service has a read-only root, no right of root's, a user that is not root, and a limit of memory."""
    service = SERVICES[name]
    unused = ["NET_BIND_SERVICE"] if name == "proxy" else []

    assert (True, ["ALL"], unused) == (service["read_only"], service["cap_drop"], service.get("cap_add", []))
    assert ["no-new-privileges:true"] == service["security_opt"]
    assert "mem_limit" in service
    assert not service.get("privileged")
    # Ours have the user of the image, which tests/deploy/test_image.py looks at.
    assert name in OURS or not service["user"].startswith(("0:", "root"))


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_says_how_it_is(name: str) -> None:
    """Each has a health check; workers and the console have the one of the image, which asks where they answer."""
    if "healthcheck" not in SERVICES[name]:
        assert (name in OURS, 9464) == (True, settings(name).http.port)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_ports_are_on_the_loopback_address_only(name: str) -> None:
    """Nobody on another machine reaches anything; what is on the inner network alone has no port and no way out."""
    ports = [one.rsplit(":", 2) for one in SERVICES[name].get("ports", [])]

    assert all(address == "127.0.0.1" for address, _, _ in ports)
    assert bool(ports) == ("outside" in SERVICES[name]["networks"])
    assert ([str(PORTS[name])] if ports else []) == [inner for _, _, inner in ports]


def test_images_are_fixed_by_version() -> None:
    """No image is whatever is the latest; the broker is the one that the tests run."""
    images = {name: service["image"] for name, service in SERVICES.items()}
    pom = ElementTree.parse(ROOT / "tests" / "kafka" / "pom.xml")
    version = pom.findtext(".//m:dependency/m:version", "", {"m": "http://maven.apache.org/POM/4.0.0"})

    assert [] == [image for image in images.values() if not re.search(r":v?\d+\.\d+(\.\d+)?$", image)]
    assert f"apache/kafka:{version}" == images["kafka"]


def test_our_image_is_built_by_its_recipe() -> None:
    """From the root of the checkout, and what the recipe is told it asks for."""
    recipe = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    (build,) = {json.dumps(SERVICES[name]["build"]) for name in OURS}

    found = json.loads(build)
    context = (DEPLOY / found["context"]).resolve()
    assert (DEPLOY / "Dockerfile", ROOT) == (context / found["dockerfile"], context)
    assert {"REVISION": "${REVISION:-unknown}"} == found["args"]
    assert "ARG REVISION=unknown\n" in recipe


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_what_is_mounted_is_there(name: str) -> None:
    """Each file or folder that a service is given is in the checkout, and each volume is declared."""
    sources = list(mounts(name).values())

    assert [] == [one for one in sources if one.startswith(".") and not (DEPLOY / one).exists()]
    assert set() == {one for one in sources if not one.startswith(".")} - set(COMPOSE["volumes"])


@pytest.mark.parametrize("name", OURS)
def test_the_settings_are_settings(name: str) -> None:
    """Environment and file load without a problem, and name the servers of the file by their services."""
    found = settings(name)

    (broker,) = found.kafka.bootstrap_servers
    assert broker == SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"].removeprefix("PLAINTEXT://")
    assert "kafka" == broker.split(":")[0]
    url = make_url(found.store_url)
    database = SERVICES["postgres"]["environment"]
    assert ("postgres", 5432, None) == (url.host, url.port, url.password)
    assert (database["POSTGRES_USER"], database["POSTGRES_DB"]) == (url.username, url.database)


def test_workers_keep_their_names() -> None:
    """There are two workers, each a static member by a name of its own: that of its service."""
    workers = [name for name in OURS if name.startswith("worker-")]

    assert ["worker-0", "worker-1"] == workers
    assert workers == [settings(name).kafka.static_member for name in workers]


def test_the_console_is_behind_the_proxy() -> None:
    """The proxy answers at the address that the console takes itself to have, and passes on to its port."""
    console = settings("web").console
    text = (DEPLOY / mounts("proxy")["/etc/caddy/Caddyfile"]).read_text(encoding="utf-8")

    assert console.origin
    assert f"\n{console.origin} {{\n" in text
    assert f"reverse_proxy web:{console.port}\n" in text
    assert PORTS["proxy"] == urlsplit(console.origin).port


def test_prometheus_asks_as_the_shipped_example_does() -> None:
    """Its file is the shipped one with other addresses, its rules are the shipped ones, and it asks all that answer."""
    ours, shipped = read("compose/prometheus.yml"), read("prometheus/prometheus.yml")
    asked = ours["scrape_configs"][0]["static_configs"][0].pop("targets")
    told = ours["alerting"]["alertmanagers"][0]["static_configs"][0].pop("targets")
    del shipped["scrape_configs"][0]["static_configs"][0]["targets"]
    del shipped["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]

    assert shipped == ours
    assert [f"{name}:{settings(name).http.port}" for name in ("worker-0", "worker-1", "web")] == asked
    assert [f"alertmanager:{PORTS['alertmanager']}"] == told
    assert "./prometheus/rules" == mounts("prometheus")["/etc/prometheus/rules"]
    assert "./alertmanager/alertmanager.yml" == mounts("alertmanager")["/etc/alertmanager/alertmanager.yml"]


def test_grafana_shows_the_shipped_dashboards() -> None:
    """Its source of data is the shipped one with another address, and its dashboards lie where it is told to look."""
    ours = read("compose/datasource.yaml")
    shipped = read("grafana/provisioning/datasources/flopwatch.yaml")
    (provider,) = read("grafana/provisioning/dashboards/flopwatch.yaml")["providers"]

    assert f"http://prometheus:{PORTS['prometheus']}" == ours["datasources"][0].pop("url")
    del shipped["datasources"][0]["url"]
    assert shipped == ours
    assert "./grafana/dashboards" == mounts("grafana")[provider["options"]["path"]]


@pytest.fixture
def passwords(tmp_path: Path) -> Path:
    """The folder of passwords, made by a copy of the program."""
    program = tmp_path / "passwords.py"
    program.write_text((DEPLOY / "compose" / "passwords.py").read_text(encoding="utf-8"), encoding="utf-8")
    for _ in range(2):
        before = sorted(one.read_bytes() for one in tmp_path.glob("secrets/*"))
        subprocess.run([sys.executable, program], check=True)
    assert before == sorted(one.read_bytes() for one in tmp_path.glob("secrets/*"))  # the second time changes nothing
    return tmp_path / "secrets"


def test_passwords_are_made_for_every_secret(passwords: Path) -> None:
    """Each secret of the file is a file in a folder that nobody else gets into, and git does not see them."""
    expected = {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()}
    asked = DEPLOY / "compose" / "secrets" / "pg_service"
    ignored = subprocess.run(["git", "check-ignore", "--quiet", asked], cwd=ROOT)

    assert expected == {file.name for file in passwords.iterdir()}
    assert (0o700, {0o644}) == (
        passwords.stat().st_mode & 0o777,
        {file.stat().st_mode & 0o777 for file in passwords.iterdir()},
    )
    assert 0 == ignored.returncode


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL of our own, whose rules the test changes."""
    with private() as cluster:
        yield cluster


def test_the_password_reaches_the_store(passwords: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store whose address names the service gets in by the file, though others may read it; one without does not."""
    address = make_url(cluster.new_database())
    password = (passwords / "postgres_password").read_text(encoding="utf-8")
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(f"alter user {USER} password '{password}'".encode())
    cluster.demand_password(str(address.database))
    monkeypatch.setenv("PGSERVICEFILE", str(passwords / "pg_service"))

    service = make_url(settings("worker-0").store_url).query
    SqlStore.open(address.update_query_dict(service).render_as_string()).close()
    with pytest.raises(StoreProblem, match="refuses the user or the password"):
        SqlStore.open(address.render_as_string())


@pytest.fixture
def provider(tmp_path: Path, topics: Topics) -> Iterator[tuple[dict[str, str], dict[str, int]]]:
    """The environment of the simulated provider, with topics of its own; and these with their partitions."""
    tenants, control = f"{tmp_path.name}.tenants", f"{tmp_path.name}.control"
    environment = {
        "FLOPWATCH_KAFKA__BOOTSTRAP_SERVERS": json.dumps([topics.bootstrap]),
        "FLOPWATCH_KAFKA__TENANT_TOPIC": tenants,
        "FLOPWATCH_KAFKA__CONTROL_TOPIC": control,
        "FLOPWATCH_CONFIG": str(DEPLOY / "compose" / "monitor.yaml"),
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore",
    }
    yield {**os.environ, **environment}, {tenants: 4, control: 1}
    topics.remove(tenants)
    topics.remove(control)


def test_the_provider_sends_its_past_once(
    tmp_path: Path, topics: Topics, provider: tuple[dict[str, str], dict[str, int]]
) -> None:
    """Started on an empty broker it makes the topics and sends sixty days; started again, only signs of life."""
    environment, partitions = provider
    tenants, control = partitions
    command = [sys.executable, str(DEPLOY / "compose" / "provider.py")]

    def sent(said: str) -> dict[tuple[str, int], int]:
        with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            assert f"The past of 8 sources {said}.\n" == process.stdout.readline()
            before = topics.ends(partitions)
            wait_for(lambda: topics.ends(partitions) != before, START_SECONDS, "a sign of life")
            process.kill()
        return before

    first, second = sent("is sent"), sent("was there already")

    assert (tmp_path / "topics").exists()
    assert all(first[tenants, number] > 1_000 for number in range(4))
    assert first[control, 0] > 1_000
    assert [first[tenants, number] for number in range(4)] == [second[tenants, number] for number in range(4)]
    assert 100 > second[control, 0] - first[control, 0]
