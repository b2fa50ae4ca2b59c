"""The Helm chart, rendered by Helm: Kubernetes takes it, and it agrees with image, settings, rules and monitoring."""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from monitor.settings import Settings
from tests.deploy.shipped import DEPLOY, ROOT, settings_of, tool

CHART = DEPLOY / "helm" / "flopwatch"
RULES = DEPLOY / "prometheus" / "rules"
OLDEST, NEWEST = "1.27.0", "1.37.0"
OF_THE_OPERATOR = {"ServiceMonitor", "PrometheusRule"}  # no schema of Kubernetes' own
LARGE = 2_000_000  # Helm reads numbers as floats
POD_NAME = "f-flopwatch-worker-1"
VALUES: dict[str, Any] = {
    "settings": {
        "store_url": "postgresql://flopwatch@postgres.example:5432/flopwatch?service=flopwatch",
        "kafka": {"bootstrap_servers": ["kafka.example:9093"], "tls": {"ca_file": "/etc/flopwatch/kafka/ca.pem"}},
        "console": {"origin": "https://flopwatch.example"},
        "intake": {"topics": [{"topic": "cloudtrail", "source": "/aws"}]},
        "record_bytes_max": LARGE,
        "tick_seconds": 0.5,
    },
    "store": {"serviceSecret": "flopwatch-store"},
    "intake": {"enabled": True},
    "mounts": [
        {"name": "kafka", "path": "/etc/flopwatch/kafka", "volume": {"secret": {"secretName": "flopwatch-kafka"}}}
    ],
    "monitoring": {"serviceMonitor": True, "prometheusRule": True, "labels": {"release": "prometheus"}},
}

Document = dict[str, Any]


def changed(path: str, value: object) -> Document:
    """The values with one of them set, `a.b.c`, or taken away with None."""
    values = copy.deepcopy(VALUES)
    *folders, name = path.split(".")
    inner = values
    for folder in folders:
        inner = inner.setdefault(folder, {})
    inner[name] = value
    return values


def helm(folder: Path, values: Document, *words: object, chart: Path = CHART) -> tuple[int, str, str]:
    """What Helm says of the chart with these values: exit code, output, errors."""
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(values), encoding="utf-8")
    ran = tool("helm", words[0], *words[1:], chart, "--values", file)
    return ran.returncode, ran.stdout, ran.stderr


def rendered(folder: Path, values: Document, chart: Path = CHART) -> list[Document]:
    """What Helm would send to a cluster."""
    code, out, err = helm(folder, values, "template", "--kube-version", NEWEST, "f", chart=chart)
    assert code == 0, err
    return [one for one in yaml.safe_load_all(out) if one is not None]


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> list[Document]:
    """The chart with everything that it can have."""
    return rendered(tmp_path_factory.mktemp("chart"), VALUES)


def of(documents: list[Document], kind: str) -> dict[str, Document]:
    """The documents of a kind, by what their names end with."""
    return {
        one["metadata"]["name"].removeprefix("f-flopwatch").removeprefix("-"): one
        for one in documents
        if one["kind"] == kind
    }


def pods(documents: list[Document]) -> dict[str, Document]:
    """The templates of pods, by component."""
    owners = of(documents, "StatefulSet") | of(documents, "Deployment")
    return {name: owner["spec"]["template"] for name, owner in owners.items()}


def container(documents: list[Document], component: str) -> Document:
    (found,) = pods(documents)[component]["spec"]["containers"]
    return dict(found)


def settings(folder: Path, documents: list[Document], component: str) -> Settings:
    """What a component is set to, by the file and the environment of its container."""
    environment = {one["name"]: one.get("value", POD_NAME) for one in container(documents, component)["env"]}
    file = folder / "monitor.yaml"
    (kept,) = of(documents, "ConfigMap").values()
    file.write_text(kept["data"][Path(environment["FLOPWATCH_CONFIG"]).name], encoding="utf-8")
    return settings_of(environment, file)


def test_helm_finds_nothing_wrong(tmp_path: Path) -> None:
    """`helm lint` has no warning, and the values fit their schema."""
    code, out, err = helm(tmp_path, VALUES, "lint", "--strict")

    assert (0, "") == (code, err.strip() if code else "")
    assert "WARNING" not in out


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("settings.store_url", "sqlite:////var/lib/flopwatch/books.db", "/settings/store_url"),
        ("settings.store_url", "postgresql://flopwatch:hush@postgres.example/flopwatch", "/settings/store_url"),
        ("settings.kafka", {"bootstrap_servers": []}, "bootstrap_servers"),
        ("settings.kafka.static_member", "worker", "static_member"),
        ("settings.http", {"port": 9999}, "/settings/http/port"),
        ("settings.console", {}, "origin"),
        ("settings.console.origin", "http://flopwatch.example", "/settings/console/origin"),
        ("worker.replica", 3, "replica"),
        ("worker.resources", {"limits": None}, "limits"),
        ("mounts", [{"name": "state", "path": "/etc/flopwatch/x", "volume": {"emptyDir": {}}}], "/mounts/0/name"),
        ("image.digest", "latest", "/image/digest"),
    ],
)
def test_wrong_values_are_refused(tmp_path: Path, path: str, value: object, said: str) -> None:
    """What could not work, or would show a password, never reaches the cluster; Helm names it."""
    code, _, err = helm(tmp_path, changed(path, value), "template", "--kube-version", NEWEST)

    assert code != 0
    assert said in err


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_kubernetes_knows_every_field(documents: list[Document], version: str) -> None:
    """Each document fits the schema of its kind, from the oldest Kubernetes that the chart allows to the newest."""
    ours = [one for one in documents if one["kind"] not in OF_THE_OPERATOR]

    for one in ours:
        kubernetes_validate.validate(one, version.rpartition(".")[0], strict=True)
    assert 13 == len(ours)
    assert OF_THE_OPERATOR == {one["kind"] for one in documents} - {one["kind"] for one in ours}
    assert f">={OLDEST}-0" == yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))["kubeVersion"]


def test_a_field_that_is_none_is_seen(documents: list[Document]) -> None:
    """The schemas are strict: a word that Kubernetes does not know is refused."""
    wrong = copy.deepcopy(of(documents, "StatefulSet")["worker"])
    wrong["spec"]["template"]["spec"]["containers"][0]["readonlyRootFilesystem"] = True

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, NEWEST.rpartition(".")[0], strict=True)


@pytest.mark.parametrize("component", ["worker", "web", "intake"])
def test_a_pod_is_confined(documents: list[Document], component: str) -> None:
    """Each pod meets the restricted standard of Kubernetes, with a read-only root, no token, and the image's user."""
    pod, one = pods(documents)[component]["spec"], container(documents, component)
    (user,) = re.findall(r"(?m)^USER (\d+):\d+$", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"))

    assert (True, int(user)) == (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["runAsUser"])
    assert {"type": "RuntimeDefault"} == pod["securityContext"]["seccompProfile"]
    confined = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert confined == one["securityContext"]
    assert (False, False) == (pod["automountServiceAccountToken"], pod["enableServiceLinks"])
    (account,) = of(documents, "ServiceAccount").values()
    assert (account["metadata"]["name"], False) == (pod["serviceAccountName"], account["automountServiceAccountToken"])
    assert "memory" in one["resources"]["limits"]


@pytest.mark.parametrize("component", ["worker", "web", "intake"])
def test_a_pod_has_what_it_mounts(documents: list[Document], component: str) -> None:
    """Each mount has its volume, nothing but the state is writable, and the state lies where the image writes."""
    pod, one = pods(documents)[component]["spec"], container(documents, component)
    claims = of(documents, "StatefulSet")["worker"]["spec"]["volumeClaimTemplates"] if component == "worker" else []
    volumes = [volume["name"] for volume in pod["volumes"]] + [claim["metadata"]["name"] for claim in claims]
    writable = [mount["mountPath"] for mount in one["volumeMounts"] if not mount.get("readOnly")]
    folders = {mount["mountPath"] for mount in one["volumeMounts"]}

    assert sorted(volumes) == sorted(mount["name"] for mount in one["volumeMounts"])
    assert writable == re.findall(r"(?m)^WORKDIR (/var.*)$", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"))
    files = [entry["value"] for entry in one["env"] if entry.get("value", "").startswith("/")]
    assert (1 if component == "intake" else 2) == len(files)  # it gets no secret of a store that it never opens
    assert set() == {file.rpartition("/")[0] for file in files} - folders


@pytest.mark.parametrize("component", ["worker", "web", "intake"])
def test_the_settings_are_settings(tmp_path: Path, documents: list[Document], component: str) -> None:
    """File and environment of a container load, and say what the values say, large numbers and fractions included."""
    found = settings(tmp_path, documents, component)

    asked = VALUES["settings"]
    assert (asked["store_url"], LARGE, 0.5) == (found.store_url, found.record_bytes_max, found.tick_seconds)
    assert (tuple(asked["kafka"]["bootstrap_servers"]), Path("/etc/flopwatch/kafka/ca.pem")) == (
        found.kafka.bootstrap_servers,
        found.kafka.tls.ca_file,
    )
    assert (POD_NAME if component == "worker" else None) == found.kafka.static_member


@pytest.mark.parametrize("component", ["worker", "web", "intake"])
def test_the_ports_are_those_of_the_settings(tmp_path: Path, documents: list[Document], component: str) -> None:
    """Pod, service and probes go by the ports at which the settings answer, on an address that others reach."""
    found, one = settings(tmp_path, documents, component), container(documents, component)
    expected = {"metrics": found.http.port} | ({"console": found.console.port} if component == "web" else {})

    assert expected == {port["name"]: port["containerPort"] for port in one["ports"]}
    service = of(documents, "Service")[component]["spec"]
    assert expected == {port["targetPort"]: port["port"] for port in service["ports"]}
    probes = {name: one[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"} == {
        name: probe["path"] for name, probe in probes.items()
    }
    assert {"metrics"} == {probe["port"] for probe in probes.values()}
    assert {"0.0.0.0"} == {found.http.host, found.console.host}
    assert (["run"] if component == "worker" else ["run", "--role", component]) == one["args"]


@pytest.mark.parametrize("component", ["worker", "web", "intake"])
def test_everything_finds_its_pods(documents: list[Document], component: str) -> None:
    """Service, owner and disruption budget choose the pods of their component, and no others."""
    labels = {name: pod["metadata"]["labels"] for name, pod in pods(documents).items()}
    owner = (of(documents, "StatefulSet") | of(documents, "Deployment"))[component]["spec"]
    budget = of(documents, "PodDisruptionBudget")[component]["spec"]

    for selector in (
        of(documents, "Service")[component]["spec"]["selector"],
        owner["selector"]["matchLabels"],
        budget["selector"]["matchLabels"],
    ):
        assert [component] == [name for name, found in labels.items() if chosen(selector, found)]
    assert 1 == budget["maxUnavailable"]


def chosen(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return selector.items() <= labels.items()


def test_prometheus_asks_as_the_shipped_example_does(documents: list[Document]) -> None:
    """The monitor of the operator chooses all services, and has job, interval and limit of prometheus.yml."""
    (found,) = of(documents, "ServiceMonitor").values()
    (example,) = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))[
        "scrape_configs"
    ]
    services = of(documents, "Service")

    spec = {
        "selector": found["spec"]["selector"],
        "sampleLimit": example["sample_limit"],
        "endpoints": [
            {
                "port": "metrics",
                "interval": example["scrape_interval"],
                "relabelings": [{"targetLabel": "job", "replacement": example["job_name"]}],
            }
        ],
    }
    assert spec == found["spec"]
    selector = found["spec"]["selector"]["matchLabels"]
    assert {"worker", "web", "intake"} == {
        name for name, one in services.items() if chosen(selector, one["metadata"]["labels"])
    }
    assert "prometheus" == found["metadata"]["labels"]["release"]


def test_the_rules_are_the_shipped_ones(documents: list[Document]) -> None:
    """Each file of rules is a PrometheusRule with the same content, also what Prometheus itself fills in."""
    expected = {
        file.name.removesuffix(".rules.yaml"): yaml.safe_load(file.read_text(encoding="utf-8"))
        for file in RULES.glob("*.yaml")
    }

    assert expected
    assert expected == {name: one["spec"] for name, one in of(documents, "PrometheusRule").items()}


def test_the_network_is_closed_but_for_what_is_named(documents: list[Document]) -> None:
    """Both ways are closed for all our pods; the console is open to the proxy, and the servers can be reached."""
    policies = of(documents, "NetworkPolicy")
    ours, web = policies[""]["spec"], policies["web"]["spec"]

    assert all(
        chosen(ours["podSelector"]["matchLabels"], pod["metadata"]["labels"]) for pod in pods(documents).values()
    )
    assert ["Ingress", "Egress"] == ours["policyTypes"]
    assert [["metrics"], ["console"]] == [
        [port["port"] for rule in spec["ingress"] for port in rule["ports"]] for spec in (ours, web)
    ]
    assert all(rule["from"] for spec in (ours, web) for rule in spec["ingress"])
    assert {53, 5432, 9092, 9093} == {port["port"] for rule in ours["egress"] for port in rule["ports"]}


def test_without_the_console_nothing_of_it_is_there(tmp_path: Path) -> None:
    """Workers alone need no origin, and nothing listens for people."""
    values = changed("web.enabled", False)
    del values["settings"]["console"]

    documents = rendered(tmp_path, values)

    assert {"worker", "intake"} == set(pods(documents)) == set(of(documents, "Service"))
    assert "127.0.0.1" == settings(tmp_path, documents, "worker").console.host


def test_the_least_that_must_be_set_is_enough(tmp_path: Path) -> None:
    """With three settings and nothing else it renders, without what needs an operator or a Secret."""
    names = ("store_url", "kafka", "console")

    documents = rendered(tmp_path, {"settings": {name: VALUES["settings"][name] for name in names}})

    assert set() == OF_THE_OPERATOR & {one["kind"] for one in documents}
    assert ["FLOPWATCH_CONFIG"] == [one["name"] for one in container(documents, "web")["env"]]


def test_a_packaged_chart_is_the_same(tmp_path: Path, documents: list[Document]) -> None:
    """The archive that people install renders what the folder renders: the link to the rules is followed."""
    packed = tool("helm", "package", CHART, "--destination", tmp_path)
    (archive,) = tmp_path.glob("flopwatch-*.tgz")

    assert packed.returncode == 0
    assert documents == rendered(tmp_path, VALUES, archive)


def test_image_and_chart_are_of_the_program(documents: list[Document]) -> None:
    """Chart, image and program have one version; a digest goes before it."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))

    assert [version] * 2 == [chart["version"], chart["appVersion"]]
    assert f"flopwatch:{version}" == container(documents, "worker")["image"]


def test_a_digest_goes_before_the_tag(tmp_path: Path) -> None:
    """An image that is named by its digest is that one, whatever the tag says."""
    digest = f"sha256:{'0' * 64}"
    values = changed("image", {"repository": "registry.example/flopwatch", "tag": "1", "digest": digest})

    assert f"registry.example/flopwatch@{digest}" == container(rendered(tmp_path, values), "web")["image"]
