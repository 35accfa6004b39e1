"""What the command line itself imports: `kubia-pet health` runs every few seconds in every container."""

import subprocess
import sys

HEAVY = ("aiohttp", "dns", "rich", "prometheus_client", "asyncio", "ssl")


def test_the_commands_import_what_they_need_only_when_they_are_run() -> None:
    code = f"import sys, kubia_pet.cli; print([each for each in {HEAVY} if each in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
