"""Apache Kafka's jars: fetched once with Maven, kept in the user's cache."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from streamssl.transport.base import TransportUnavailableError

HERE = Path(__file__).parent
LEAST_JAVA = 17


class BrokerUnavailableError(TransportUnavailableError):
    """The broker for tests and demo cannot be had here; the text names what is missing."""


def kafka_version() -> str:
    """Version of Apache Kafka that `pom.xml` names."""
    found = re.search(r"<kafka.version>(.+?)</", (HERE / "pom.xml").read_text())
    assert found is not None
    return found[1]


def default_cache_dir() -> Path:
    """Folder for fetched software, as the XDG base directory specification has it."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "streamssl"


def find_java() -> str:
    """Path of a Java that Kafka runs on.

    Raises:
        BrokerUnavailableError: None is installed, or it is too old.
    """
    home = os.environ.get("JAVA_HOME")
    java = f"{home}/bin/java" if home else shutil.which("java")
    remedy = f"install a Java {LEAST_JAVA} runtime or newer and put it on PATH (or set JAVA_HOME)"
    if java is None or not Path(java).exists():
        raise BrokerUnavailableError(f"no Java was found for the Kafka broker; {remedy}")
    command = [java, "-version"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    told = done.stderr
    found = re.search(r'version "(\d+)', told)
    if found is None or int(found[1]) < LEAST_JAVA:
        line = told.splitlines()[0] if told else "no answer to -version"
        raise BrokerUnavailableError(f"{java} is too old for Kafka ({line}); {remedy}")
    return java


def fetch_jars(cache_dir: Path | None = None) -> Path:
    """Folder with all jars of the broker; fetched on the first call, then reused.

    A folder that exists is complete: it is filled under another name and then renamed.

    Raises:
        BrokerUnavailableError: Maven is missing or cannot reach its repository.
    """
    target = (cache_dir or default_cache_dir()) / f"kafka-{kafka_version()}"
    if target.is_dir():
        return target
    maven = shutil.which("mvn")
    if maven is None:
        raise BrokerUnavailableError(
            "Maven (mvn) was not found, which fetches Apache Kafka; install Maven 3 and put it "
            "on PATH, or use a running broker (STREAMSSL_TEST_BOOTSTRAP for the tests)"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetch-") as folder:
        shutil.copy(HERE / "pom.xml", folder)
        _copy_dependencies(maven, Path(folder))
        # Another process may have been quicker: its folder is as good as ours.
        if not target.is_dir():
            (Path(folder) / "libs").rename(target)
    return target


def _copy_dependencies(maven: str, folder: Path) -> None:
    command = [maven, "-q", "-B", "-f", str(folder / "pom.xml"), "dependency:copy-dependencies"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0 or not any((folder / "libs").glob("kafka_*.jar")):
        told = (done.stdout + done.stderr).strip().splitlines() or ["no output"]
        raise BrokerUnavailableError(
            f"Maven could not fetch Apache Kafka {kafka_version()}: {told[0][:300]}; check the "
            f"network and Maven's settings (try: {' '.join(command[:2])} -f pom.xml ...)"
        )
