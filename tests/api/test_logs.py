"""The log, where nobody reads it: it never holds the pod up, and says what it had to drop."""

import fcntl
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest

from kubia_pet.limits import MAX_LOG_LINES
from tests.api.test_replay import client_of, post
from tests.support.pod import Pod, until


class UnreadPod(Pod):
    """A pod whose standard error is a pipe that is read when the test says so."""

    def launch(self) -> "UnreadPod":
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self.reading, writing = os.pipe()
        os.set_blocking(self.reading, False)
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
        command = [sys.executable, "-m", "kubia_pet", "serve", "--host=127.0.0.1", "--port=0", "--service="]
        command += ["--drain=0", f"--pod={self.name}", f"--data-dir={self.data_dir}", *self.options]
        self.process = subprocess.Popen(command, stderr=writing, stdout=writing, env=os.environ | self.env)
        os.close(writing)
        return self

    def _listening(self) -> bool:
        self.log.write_text((self.log.read_text() if self.log.exists() else "") + self.read())
        return super()._listening()

    def read(self) -> str:
        """What is in the pipe by now."""
        pieces = []
        try:
            while piece := os.read(self.reading, 1 << 16):
                pieces.append(piece)
        except BlockingIOError:
            pass
        return b"".join(pieces).decode()


@contextmanager
def unread(tmp_path: Path, *options: str) -> Iterator[UnreadPod]:
    pod = UnreadPod(tmp_path / "data", *options)
    with pod:
        yield pod
    os.close(pod.reading)


async def dropped(pod: Pod) -> int:
    async with aiohttp.ClientSession(pod.url) as session, session.get("/metrics") as response:
        name = "kubia_pet_log_lines_dropped_total"
        found = re.search(rf"^{name} (\S+)$", await response.text(), re.MULTILINE)
    assert found
    return int(float(found[1]))


async def ask_often(pod: Pod, times: int) -> None:
    """GETs, each a line of the log at debug."""
    async with aiohttp.ClientSession(pod.url, timeout=aiohttp.ClientTimeout(total=5)) as session:
        for number in range(times):
            async with session.get(f"/nowhere/{number}/{'x' * 200}") as response:
                assert response.status == 404


async def test_a_log_that_nobody_reads_holds_nothing_up_and_what_is_dropped_is_counted_and_said(
    tmp_path: Path,
) -> None:
    with unread(tmp_path, "--log-level=debug") as pod:
        await ask_often(pod, MAX_LOG_LINES + 200)
        lost = await dropped(pod)
        assert lost > 100
        seen: list[str] = []

        def said() -> re.Match[str] | None:
            seen.append(pod.read())
            return re.search(r"WARNING (\d+) lines of the log were dropped", "".join(seen))

        until("the log to say what it dropped", said)
        found = said()
        assert found
        assert lost <= int(found[1]) <= lost + 5
        assert pod.terminate() == 0


async def test_a_pod_ends_in_time_and_well_though_nobody_reads_its_log(tmp_path: Path) -> None:
    with unread(tmp_path, "--log-level=debug") as pod:
        await ask_often(pod, 100)
        assert pod.terminate(timeout=5) == 0


async def test_what_was_logged_before_the_end_is_written(tmp_path: Path) -> None:
    with Pod(tmp_path / "data", "--log-level=debug") as pod:
        await ask_often(pod, 200)
        pod.terminate()
    lines = pod.log.read_text().splitlines()
    assert sum("/nowhere/" in line for line in lines) == 200
    assert lines[-1].endswith("INFO Pod kubia-0 has ended")


@pytest.mark.parametrize("log_format", ["text", "json"])
async def test_no_line_is_longer_than_its_bound(tmp_path: Path, log_format: str) -> None:
    with Pod(tmp_path / "data", "--log-level=debug", f"--log-format={log_format}") as pod:
        async with (
            aiohttp.ClientSession(pod.url) as session,
            session.get(f"/{'y' * 8000}") as response,
        ):
            assert response.status == 404
        pod.terminate()
    (line,) = [line for line in pod.log.read_text().splitlines() if "yyy" in line]
    assert len(line) < 4500
    if log_format == "json":
        assert "yyy…yyy" in json.loads(line)["message"]


async def test_each_change_is_a_line_with_client_method_size_and_etag_and_many_are_few_lines(
    tmp_path: Path,
) -> None:
    with Pod(tmp_path / "data") as pod:
        async with client_of(pod.url) as client:
            for _ in range(3):  # from the second on by the short cut
                assert (await client.ask(post(b"twelve bytes"))).status == 200
            assert (await client.ask(b"DELETE /data HTTP/1.1\r\nHost: a\r\n\r\n")).status == 200
            refused = b"DELETE / HTTP/1.1\r\nHost: a\r\nIf-Match: *\r\n\r\n"
            assert (await client.ask(refused)).status == 412
            began = time.monotonic()
            for number in range(996):
                assert (await client.ask(post(b"%03d" % number))).status == 200
            seconds = time.monotonic() - began
        pod.terminate()
    lines = [line.partition(" INFO ")[2] for line in pod.log.read_text().splitlines()]
    etag = hashlib.sha256(b"twelve bytes").hexdigest()[:32]
    single = [line for line in lines if " by 127.0.0.1: " in line]
    assert single[:4] == [
        *[f'POST by 127.0.0.1: 12 bytes, ETag "{etag}"'] * 3,
        "DELETE by 127.0.0.1: the value is gone",
    ]
    assert len(single) <= 10 * (seconds + 2)
    summed = [int(line.split()[0]) for line in lines if "more changes within a second" in line]
    assert len(summed) <= seconds + 2
    assert len(single) + sum(summed) == 1000, "each change is in one of them"
