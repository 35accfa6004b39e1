"""Work of all kinds for long: what the process holds does not grow."""

import time
from pathlib import Path

import pytest

from kubia_pet.local.dns_server import NameServer, Zone
from tests.hostile.clients.mix import Mix
from tests.hostile.clients.raw_http import address_of
from tests.hostile.clients.torture import times
from tests.hostile.clients.vitals import files, memory, reads_proc, sockets, threads
from tests.support.dns_server import NAME
from tests.support.pod import Pod, until

REQUESTS = times(6_000, 1_000_000)
WARM_UP = REQUESTS // 5


@reads_proc
@pytest.mark.timeout(60 + REQUESTS // 500)
async def test_a_million_requests_leave_memory_files_and_threads_as_they_were(tmp_path: Path) -> None:
    endpoints: dict[str, tuple[str, int]] = {}
    async with NameServer(Zone(NAME, endpoints), "127.0.0.1", 0) as (address, port):
        options = (f"--service={NAME}", f"--nameserver={address}:{port}", "--log-level=warning")
        with (
            Pod(tmp_path / "0" / "data", *options, "--log-level=info") as pod,
            Pod(tmp_path / "1" / "data", *options, "--log-level=info", name="kubia-1") as peer,
        ):
            for each in (pod, peer):
                endpoints[each.name] = address_of(each.url)
            pid, mix = pod.process.pid, Mix(pod.url, seed=REQUESTS)
            quiet = sockets(pid)
            began = time.monotonic()
            await mix.ask(WARM_UP)
            until("connections to be closed", lambda: sockets(pid) <= quiet + 3)  # one of them to its peer
            before = memory(pid), files(pid) - sockets(pid), threads(pid)
            await mix.ask(REQUESTS - WARM_UP)
            took = time.monotonic() - began
            until("connections to be closed", lambda: sockets(pid) <= quiet + 3)
            after = memory(pid), files(pid) - sockets(pid), threads(pid)
            figures = f"{REQUESTS} requests in {took:.0f} s, {dict(sorted(mix.seen.items()))}"
            print(f"{figures}; memory, files, threads: {before} -> {after}")  # noqa: T201 - the figures
            assert after[0] - before[0] < 10 * 2**20
            assert abs(after[1] - before[1]) <= 2
            assert abs(after[2] - before[2]) <= 1
            assert not {status for status in mix.seen if status >= 500}
            assert {200, 304, 400, 403, 404, 405, 413, 415} <= mix.seen.keys() | {400}
            assert "Traceback" not in pod.log.read_text()
