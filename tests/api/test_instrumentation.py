"""What the log says of requests."""

import re
from pathlib import Path

from tests.support.pod import Pod, until
from tests.support.streams import ask


async def test_no_path_forges_a_line_of_the_log(tmp_path: Path) -> None:
    with Pod(tmp_path / "data", "--log-level=debug") as pod:
        await ask(pod.url, "GET", "/%0a%0d%1b[2JFORGED%e2%80%a8FORGED")
        until("the request to be logged", lambda: "FORGED" in pod.log.read_text())
        assert all(
            re.match(r"\d{4}-\d\d-\d\dT\S+Z [A-Z]+ ", line) for line in pod.log.read_text().splitlines()
        )
