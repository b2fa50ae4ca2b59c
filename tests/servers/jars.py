"""The jars of Apache Kafka, fetched once into the user's cache. Standard library only: `make test-deps` runs it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

from tests.servers.cache import kept

POM = Path(__file__).parents[1] / "kafka" / "pom.xml"
NAMESPACE = {"m": "http://maven.apache.org/POM/4.0.0"}
FETCH_SECONDS = 600


def fetched() -> Path:
    """The folder with the jars.

    Raises:
        RuntimeError: they are not there and cannot be had, with a sentence.
    """
    version = ElementTree.parse(POM).findtext(".//m:dependency/m:version", "", NAMESPACE)
    if shutil.which("java") is None:
        raise RuntimeError("Java runs it: install Java 17, set KAFKA_BOOTSTRAP_SERVERS, or run a container engine.")
    return kept(f"kafka-{version}", _fetch)


def _fetch(folder: Path) -> str:
    if shutil.which("mvn") is None:
        return "Maven fetches it: install Maven, set KAFKA_BOOTSTRAP_SERVERS, or run a container engine."
    command = ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={folder}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_SECONDS)
    return f"Maven could not fetch it: {done.stdout[-500:]}" if done.returncode else ""


if __name__ == "__main__":
    print(f"Kafka lies in {fetched()}.")
