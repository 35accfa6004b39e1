"""The chapter's story, clicked through; pods that end before the page's eyes."""

import contextlib
import os
import re
import signal
import subprocess
from pathlib import Path

from playwright.sync_api import Browser

from tests.browser.visitor import visiting
from tests.hostile.clients.raw_http import address_of
from tests.support.dns_server import SERVICE, NameServer, Zone
from tests.support.local_set import LocalSet
from tests.support.pod import Pod

GREETING = "Hey there! This greeting was submitted to kubia-0."


def test_the_chapter_clicked_through(chromium: Browser, pets: LocalSet) -> None:
    with visiting(chromium, pets.url(0)) as first, visiting(chromium, pets.url(2)) as last:
        assert first.page.inner_text("h1") == "You've hit kubia-0"
        assert [row[:3] for row in first.rows()] == [
            [name, "● ready", "No data posted yet"]
            for name in ("kubia-0\n(you are here)", "kubia-1", "kubia-2")
        ]
        assert first.store(GREETING) == "Stored on kubia-0."
        for visitor in (first, last):
            visitor.wait_seen("kubia-0 has a new value")
            assert "This greeting was" in visitor.drawn(0)
            assert visitor.rows()[0][2] == GREETING
            assert "No data posted yet" in visitor.drawn(1)
        assert "you are here" in first.drawn(0)
        assert "you are here" in last.drawn(2)
        records = first.page.inner_text("#records").splitlines()
        assert [line.split()[1:6] for line in records] == [["1", "IN", "SRV", "0", "33"] for _ in range(3)]
        for visitor in (first, last):
            visitor.require_good_manners()


def test_a_pod_killed_before_the_pages_eyes(chromium: Browser, pets: LocalSet) -> None:
    with visiting(chromium, pets.url(1)) as other:
        other.store("kept on its volume")
    with visiting(chromium, pets.url(0)) as visitor:
        assert "kept on its volume" in visitor.drawn(1)
        os.kill(pets.pids()["kubia-1"], signal.SIGKILL)
        visitor.page.wait_for_selector(".pod.silent, .pod.gone")
        assert re.search("○ gone|✕ no answer", visitor.drawn(1))
        assert "kept on its volume" in visitor.drawn(1), "its volume stays"
        visitor.wait_seen(r"kubia-1 is back after \d\.\d s with its value")
        assert "● ready" in visitor.drawn(1)
        visitor.require_good_manners()


def test_the_pages_own_pod_killed(chromium: Browser, pets: LocalSet) -> None:
    with visiting(chromium, pets.url(0)) as visitor:
        visitor.store("kept as well")
        visitor.wait_seen("kubia-0 has a new value")
        os.kill(pets.pids()["kubia-0"], signal.SIGKILL)
        visitor.wait_seen("kubia-0 gives no answer: the connection broke")
        assert re.search("no answer", visitor.drawn(0))
        visitor.wait_seen(r"kubia-0 is back after \d\.\d s with its value")
        visitor.wait_live()
        visitor.require_good_manners(pods_die=True)


def test_by_the_public_port_the_page_goes_on_at_another_pod(chromium: Browser, pets: LocalSet) -> None:
    with visiting(chromium, pets.public_url) as visitor:
        pod = visitor.page.inner_text("#hit")
        os.kill(pets.pids()[pod], signal.SIGTERM)
        visitor.wait_seen(f"{pod} is ending")
        visitor.wait_seen(r"Now watching from kubia-\d")
        assert visitor.page.inner_text("#hit") != pod
        visitor.wait_seen(rf"{pod} is back after \d\.\d s.*")
        answer = visitor.store("to whom it may concern")
        (taker,) = re.findall(r"kubia-\d", answer)
        visitor.wait_seen(f"{taker} has a new value")
        assert ("the Service gave it to that pod" in answer) == (taker != visitor.page.inner_text("#hit"))
        visitor.require_good_manners(pods_die=True)


def test_a_pod_that_comes_back_on_another_node(chromium: Browser, tmp_path: Path) -> None:
    zone = Zone()
    with NameServer(zone) as names, contextlib.ExitStack() as stack:
        host, port = names.address
        options = (f"--service={SERVICE}", f"--nameserver={host}:{port}")

        def start(name: str, node: str) -> Pod:
            pod = stack.enter_context(Pod(tmp_path / name, *options, f"--node={node}", name=name))
            zone.add(name, address_of(pod.url)[1], "127.0.0.1")
            return pod

        first, second = start("kubia-0", "node-1"), start("kubia-1", "node-1")
        subprocess.run(["curl", "-sf", "-d", "moved", second.url], check=True, capture_output=True)
        with visiting(chromium, first.url) as visitor:
            visitor.page.get_by_text("on node-1").nth(1).wait_for()
            second.kill()
            visitor.page.wait_for_selector(".pod.silent, .pod.gone")
            start("kubia-1", "node-2")
            visitor.wait_seen(r"kubia-1 is back after \d+(\.\d)? s with its value, on another node")
            assert "on node-2" in visitor.drawn(1)
            assert [row[3] for row in visitor.rows()] == ["node-1", "node-2"]
            visitor.require_good_manners()


def test_a_pod_that_hangs_or_is_cut_off_is_noticed_by_its_silence(chromium: Browser, tmp_path: Path) -> None:
    with Pod(tmp_path / "data") as pod, visiting(chromium, pod.url) as visitor:
        pod.process.send_signal(signal.SIGSTOP)
        visitor.page.set_default_timeout(30_000)
        visitor.wait_seen("kubia-0 gives no answer: it said nothing for 20 s")
        assert visitor.page.inner_text("#link") == "◌ no answer from kubia-0"
        pod.process.send_signal(signal.SIGCONT)
        visitor.wait_seen("kubia-0 is back after .*")
        visitor.wait_live()


def test_one_watcher_too_many_is_told_why(chromium: Browser, tmp_path: Path) -> None:
    with Pod(tmp_path / "data", "--max-watchers=1") as pod, visiting(chromium, pod.url):
        context = chromium.new_context(locale="en-US")
        page = context.new_page()
        page.goto(pod.url)
        page.get_by_text(
            "◌ 1 watch this pod already, which is the most it allows: try again later."
        ).wait_for()
        assert page.locator("#rows tr").count() == 1, "the table that came with the page"
        context.close()
