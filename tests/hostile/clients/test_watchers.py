"""Many who watch one pod, beside ordinary clients."""

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.hostile.clients.good_client import ask_for
from tests.hostile.clients.swarm import SwarmProcess
from tests.hostile.clients.test_stalling import assert_undisturbed
from tests.hostile.clients.torture import times
from tests.hostile.clients.vitals import memory, processor_seconds, reads_proc
from tests.support.pod import Pod

WATCHERS = times(200, 1000)
SECONDS = times(5, 60)
LARGEST_COST = 64 * 1024  # bytes of one watcher


@pytest.mark.alone
@pytest.mark.timeout(60 + 3 * SECONDS)
@reads_proc
def test_many_who_watch_disturb_nobody(tmp_path: Path) -> None:
    with Pod(tmp_path / "data", f"--max-watchers={WATCHERS}") as pod:
        subprocess.run(["curl", "-sf", "-d", "a value", pod.url], check=True, capture_output=True)
        quiet = ask_for(pod.url, min(SECONDS, 5))
        before = memory(pod.process.pid)
        with SwarmProcess(pod.url, watcher=WATCHERS) as swarm, changing(pod):
            cpu, began = processor_seconds(pod.process.pid), time.monotonic()
            busy = ask_for(pod.url, SECONDS)
            cpu = (processor_seconds(pod.process.pid) - cpu) / (time.monotonic() - began)
            cost = (memory(pod.process.pid) - before) / WATCHERS
            swarm.end()
        assert swarm.ended == {}, "none was cut"
        print(  # noqa: T201 - the figures
            f"{WATCHERS} watchers, two changes a second: {cost / 1024:.0f} KiB each, {cpu:.0%} of a processor"
        )
        assert cost < LARGEST_COST
        assert_undisturbed(quiet, busy)
        assert "Traceback" not in pod.log.read_text()


@contextmanager
def changing(pod: Pod) -> Iterator[None]:
    """Another value twice a second, as often as watchers are told of one."""
    ended = threading.Event()

    def post() -> None:
        number = 0
        while not ended.wait(0.5):
            number += 1
            value = f"value number {number}"
            subprocess.run(["curl", "-sf", "-d", value, pod.url], check=True, capture_output=True)

    thread = threading.Thread(target=post)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
