"""The jars of Apache Kafka, fetched once into the user's cache. Standard library only: `make test-deps` runs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from xml.etree import ElementTree

POM = Path(__file__).parents[1] / "kafka" / "pom.xml"
NAMESPACE = {"m": "http://maven.apache.org/POM/4.0.0"}
FETCH_SECONDS = 600


def fetched() -> Path:
    """The folder with the jars.

    Raises:
        RuntimeError: they are not there and cannot be had, with a sentence.
    """
    version = ElementTree.parse(POM).findtext(".//m:dependency/m:version", "", NAMESPACE)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "flopwatch"
    folder = cache / f"kafka-{version}"
    if shutil.which("java") is None:
        raise RuntimeError("Java runs it: install Java 17, set KAFKA_BOOTSTRAP_SERVERS, or run a container engine.")
    if folder.is_dir():
        return folder
    if shutil.which("mvn") is None:
        raise RuntimeError("Maven fetches it: install Maven, set KAFKA_BOOTSTRAP_SERVERS, or run a container engine.")
    cache.mkdir(parents=True, exist_ok=True)
    incoming = Path(tempfile.mkdtemp(prefix="kafka-", dir=cache))
    command = ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={incoming}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_SECONDS)
    if done.returncode:
        shutil.rmtree(incoming)
        raise RuntimeError(f"Maven could not fetch it: {done.stdout[-500:]}")
    try:
        incoming.rename(folder)
    except OSError:  # somebody else was faster
        shutil.rmtree(incoming)
    return folder


if __name__ == "__main__":
    print(f"Kafka lies in {fetched()}.")
