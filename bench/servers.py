"""The servers of one measurement: pods, their peers, and what they are compared with."""

import json
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.baseline import VALUE
from bench.load import LEAST_ERROR, LoadError, Server
from bench.machine import OTHER_CORES, SERVER_CORE, Cores, pinned
from tests.hostile.peers.crowd import crowd
from tests.support.dns_server import SERVICE, NameServer, Zone
from tests.support.local_set import free_ports
from tests.support.pod import Pod, until

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_NO_DATA = "No data posted yet"  # what the original answers in the place of 404
_IN_ONE_ANSWER = 700  # pods, with their addresses; those of more are asked for one by one
_NGINX = """
daemon off; master_process off; pid nginx.pid; error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
  access_log off; default_type text/plain; sendfile on; keepalive_requests 1000000000;
  client_body_temp_path tmp; proxy_temp_path tmp;
  fastcgi_temp_path tmp; uwsgi_temp_path tmp; scgi_temp_path tmp;
  upstream pod {{ server {pod}; keepalive 16; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location = /static {{ alias {directory}/static; }}
    location / {{
      proxy_pass http://pod; proxy_http_version 1.1;
      proxy_set_header Connection ""; proxy_set_header Host $http_host;
    }}
  }}
}}
"""


class Servers(ExitStack):
    """Starts processes, each pinned from its first moment, and ends them all at its exit."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self._directory = directory

    def pod(
        self,
        *options: str,
        name: str = "kubia-0",
        cores: Cores = SERVER_CORE,
        module: str = "kubia_pet",
        names: int | None = None,
    ) -> Pod:
        """A pod on a new volume, listening; `names` is the port of a name server that knows its peers."""
        if names:
            options += (f"--service={SERVICE}", f"--nameserver=127.0.0.1:{names}")
        pod = Pod(self.volume() / "data", *options, name=name, program=(sys.executable, "-m", module))
        with pinned(cores):
            pod.launch()
        self.push(pod.__exit__)
        pod.listening()
        return pod

    def crowded(self, peers: int, *options: str, module: str = "kubia_pet") -> Pod:
        """A pod that sees so many peers, all but itself simulated: they cost little."""
        with pinned(OTHER_CORES):
            _, names = self.enter_context(crowd(peers, additional=peers <= _IN_ONE_ANSWER, apart=True))
        pod = self.pod(*options, names=names, module=module)
        ask(pod.url, VALUE)
        _sees(pod, peers)
        return pod

    def peers(self, number: int) -> list[Pod]:
        """So many real pods that see each other; the first is alone on its core."""
        zone = Zone()
        with pinned(OTHER_CORES):
            names = self.enter_context(NameServer(zone)).address[1]
        pods = [
            self.pod(name=f"kubia-{ordinal}", names=names, cores=OTHER_CORES if ordinal else SERVER_CORE)
            for ordinal in range(number)
        ]
        for pod in pods:
            zone.add(pod.name, int(pod.url.rpartition(":")[2]))
        _sees(pods[0], number)
        return pods

    def bare(self, *options: str) -> Server:
        """The bare protocol, in the place of a pod."""
        process = self._start(
            [sys.executable, "-m", "bench.baseline", *options], SERVER_CORE, stdout=subprocess.PIPE
        )
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        return Server(f"http://127.0.0.1:{int(process.stdout.readline())}", process.pid)

    def nginx(self, value: bytes, pod: Pod, cores: Cores = SERVER_CORE) -> Server | None:
        """It has `value` as the file /static and is else a proxy of `pod`; None where it is not installed."""
        if not (nginx := shutil.which("nginx")):
            return None
        directory, port = self.volume(), free_ports(1)
        (directory / "static").write_bytes(value)
        config = directory / "nginx.conf"
        config.write_text(_NGINX.format(directory=directory, port=port, pod=pod.url.removeprefix("http://")))
        process = self._start([nginx, "-e", "stderr", "-p", str(directory), "-c", str(config)], cores)
        return _answering(Server(f"http://127.0.0.1:{port}", process.pid), "/static")

    def podinfo(self, value: bytes) -> tuple[Server, str] | None:
        """podinfo, and the path at which its store has `value`; None where there is none."""
        if not (podinfo := shutil.which("podinfo")):
            return None
        port = free_ports(1)
        command = [podinfo, f"--port={port}", "--level=panic", f"--data-path={self.volume()}"]
        server = _answering(
            Server(f"http://127.0.0.1:{port}", self._start(command, SERVER_CORE).pid), "/readyz"
        )
        return server, f"/store/{json.loads(ask(f'{server.url}/store', value))['hash']}"

    def volume(self) -> Path:
        """A new directory."""
        return Path(tempfile.mkdtemp(dir=self._directory))

    def _start(
        self, command: Sequence[str], cores: Cores, stdout: int = subprocess.DEVNULL
    ) -> subprocess.Popen[bytes]:
        with pinned(cores):
            process = self.enter_context(subprocess.Popen(command, stdout=stdout))  # noqa: S603 - what is measured
        self.callback(process.kill)
        return process


def of(pod: Pod) -> Server:
    """It, as a server."""
    return Server(pod.url, pod.process.pid)


@dataclass(frozen=True)
class Answer:
    """What came, a failure's answer too."""

    status: int
    headers: Mapping[str, str]
    text: str


def answer(url: str, value: bytes | None = None) -> Answer:
    """The answer to a GET, or to the POST of a value."""
    request = urllib.request.Request(url, data=value)  # noqa: S310 - http, from the options
    try:
        response = _DIRECT.open(request, timeout=30)
    except urllib.error.HTTPError as error:
        response = error
    with response:
        return Answer(response.status, response.headers, response.read().decode())


def ask(url: str, value: bytes | None = None) -> str:
    """The text of a good answer."""
    given = answer(url, value)
    if given.status >= LEAST_ERROR:
        raise LoadError(f"{url} answered {given.status}: {given.text}")
    return given.text


def has_value(server: Server) -> bool:
    """Whether there is one, at a pod of ours or of the original."""
    given = answer(f"{server.url}/data")
    return given.status < LEAST_ERROR and given.text.strip() != _NO_DATA


def _answering(server: Server, path: str) -> Server:
    def answers() -> bool:
        with suppress(OSError):
            ask(server.url + path)
            return True
        return False

    until(f"{server.url} to answer", answers)
    return server


def _sees(pod: Pod, number: int) -> None:
    until(
        f"{pod.name} to see {number} peers",
        lambda: len(json.loads(ask(f"{pod.url}/peers"))["peers"]) == number,
        30,
    )
