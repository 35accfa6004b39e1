"""What is imported when: `kubia-pet health` runs all the time in every container, a start is waited for."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

from tests.support.dns_server import NAME, NameServer, Zone
from tests.support.pod import Pod

SLOW_TO_LOAD = """
import importlib.abc, sys, time
class Slow(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "dns.resolver":
            time.sleep(1.5)
sys.meta_path.insert(0, Slow())
from kubia_pet.cli import main
main()
"""
HEAVY = ("aiohttp", "dns", "rich", "prometheus_client", "asyncio", "ssl")


def test_the_commands_import_what_they_need_only_when_they_are_run() -> None:
    code = f"import sys, kubia_pet.cli; print([each for each in {HEAVY} if each in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_pod_loads_what_asks_dns_for_its_first_question_and_not_to_start() -> None:
    code = "import sys, kubia_pet.web.server; print('dns' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_what_that_takes_a_busy_node_is_no_part_of_the_time_that_a_name_server_has(tmp_path: Path) -> None:
    zone = Zone()
    with NameServer(zone) as names:
        server = "{}:{}".format(*names.address)
        options = (f"--service={NAME}.", f"--nameserver={server}", "--dns-timeout=1s")
        program = (sys.executable, "-c", SLOW_TO_LOAD)
        with Pod(tmp_path / "data", *options, program=program) as pod:
            zone.add(pod.name, int(pod.url.rpartition(":")[2]))
            with urllib.request.urlopen(f"{pod.url}/peers", timeout=10) as response:  # noqa: S310 - our own
                told = json.load(response)
    assert (told["error"], [each["name"] for each in told["peers"]]) == (None, [f"kubia-0.{NAME}"])
