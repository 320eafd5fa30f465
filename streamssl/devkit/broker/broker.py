"""One Kafka broker and controller (KRaft) on free loopback ports, ended with its parent."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import socket
import string
import subprocess
import tempfile
import time
import uuid
from pathlib import Path
from typing import Self

from streamssl.devkit.broker.jars import HERE, BrokerUnavailableError, fetch_jars, find_java

# Small and quick to start rather than fast for hours: it serves tests and a demo.
START_TIMEOUT_S = 60.0
JVM_FLAGS = (
    "-Xms192m",
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:ActiveProcessorCount=2",
    "-Djava.awt.headless=true",
)
# The shell ends the broker when its standard input closes, which the kernel does for us when
# this process dies in whatever way; so nothing is ever left behind.
WATCHDOG = """
exec 3<&0
"$@" 3<&- & broker=$!
{ read _ <&3; kill -TERM $broker; } 2>/dev/null & watch=$!
wait $broker; code=$?
kill $watch 2>/dev/null
exit $code
"""


class DevBroker:
    """A real Kafka for as long as it is needed.

    Args:
        cache_dir: Where the jars are kept; the user's cache by default.
        data_dir: Where topics are kept; by default a temporary folder that `stop` removes.

    Example:
        with DevBroker() as broker:
            kafka = KafkaConfig(bootstrap_servers=broker.bootstrap_servers)
    """

    def __init__(
        self,
        cache_dir: Path | None = None,
        data_dir: Path | None = None,
    ) -> None:
        self._cache_dir = cache_dir
        self._temporary = data_dir is None
        self._dir = data_dir
        self._process: subprocess.Popen[bytes] | None = None
        self.bootstrap_servers = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Fetch, format, start, and wait until the broker answers.

        Raises:
            BrokerUnavailableError: Java or Maven is missing, or the broker does not start.
        """
        self._java, self._jars = find_java(), fetch_jars(self._cache_dir)
        try:
            self._start()
        except BrokerUnavailableError:
            self.stop()
            raise

    def _start(self) -> None:
        if self._dir is None:
            self._dir = Path(tempfile.mkdtemp(prefix="streamssl-kafka-"))
        self._dir.mkdir(parents=True, exist_ok=True)
        if not (self._dir / "server.properties").exists():
            self._format(self._dir)
        self._run(self._dir)

    def stop(self) -> None:
        """End the broker in order, and remove its data where it chose the folder itself."""
        self._end(signal.SIGTERM)
        if self._temporary and self._dir is not None:
            shutil.rmtree(self._dir, ignore_errors=True)
            self._dir = None

    def kill(self) -> None:
        """End the broker at once, as a power cut would; its data stay for `restart`."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Start again on the same ports and data, after ending it in order if it still runs."""
        self._end(signal.SIGTERM)
        assert self._dir is not None, "restart before the first start"
        self._run(self._dir)

    @property
    def log_path(self) -> Path:
        """What the broker says (warnings and errors)."""
        assert self._dir is not None, "no log before the first start"
        return self._dir / "broker.log"

    def _format(self, folder: Path) -> None:
        """Write the settings and prepare the storage; the ports stay the same for good."""
        port, controller_port = _free_ports(2)
        template = string.Template((HERE / "server.properties").read_text())
        settings = template.substitute(
            port=port, controller_port=controller_port, log_dir=folder / "data"
        )
        draft = folder / "server.properties.new"
        draft.write_text(settings)
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        tool = ["kafka.tools.StorageTool", "format", "--standalone"]
        # `-t=`: an id may begin with a dash.
        command = [*self._jvm(folder), *tool, f"--cluster-id={cluster}", "-c", str(draft)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode != 0:
            raise BrokerUnavailableError(
                f"Kafka's storage could not be formatted in {folder}: {done.stderr[-500:]}"
            )
        draft.rename(folder / "server.properties")

    def _jvm(self, folder: Path) -> list[str]:
        logs = f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}"
        scratch = f"-Djava.io.tmpdir={folder}"  # unpacked libraries go with the folder
        return [self._java, *JVM_FLAGS, logs, scratch, "-cp", f"{self._jars}/*"]

    def _run(self, folder: Path) -> None:
        settings = (folder / "server.properties").read_text()
        listener = settings.split("listeners=PLAINTEXT://")[1].split(",")[0]
        self.bootstrap_servers = listener
        command = [*self._jvm(folder), "kafka.Kafka", str(folder / "server.properties")]
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 our own command
                ["sh", "-c", WATCHDOG, "sh", *command],  # noqa: S607 any POSIX shell will do
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us; we then end the broker in order
            )
        self._wait_until_it_answers()

    def _wait_until_it_answers(self) -> None:
        host, port = self.bootstrap_servers.split(":")
        deadline = time.monotonic() + START_TIMEOUT_S
        while not _answers(host, int(port)):
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() > deadline:
                told = self.log_path.read_text(errors="replace")[-800:].strip()
                self._end(signal.SIGKILL)
                raise BrokerUnavailableError(
                    f"the Kafka broker did not start on {self.bootstrap_servers} within "
                    f"{START_TIMEOUT_S:.0f} s; it said: {told or 'nothing'}"
                )
            time.sleep(0.1)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        if how == signal.SIGTERM:
            process.stdin.close()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                how = signal.SIGKILL
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        process.stdin.close()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


# An ApiVersions request (key 18, version 0) from client "dev": the broker answers it only when
# it serves clients, long after its port is open.
_HELLO = bytes.fromhex("0000000d00120000000000010003") + b"dev"


def _answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1.0) as connection:
            connection.settimeout(2.0)
            connection.sendall(_HELLO)
            return len(connection.recv(8)) == 8
    except OSError:
        return False
