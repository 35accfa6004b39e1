"""What `kubia-pet local` shows of its pods' logs."""

import asyncio
import logging
import sys
from pathlib import Path

import pytest

from kubia_pet.local.supervisor import LocalPod
from kubia_pet.logs import RELAYED


async def test_a_line_that_is_too_long_is_left_out_and_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RELAYED, "propagate", True)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "print('before'); print('x' * 100_000); print('after')"),
        stdout=asyncio.subprocess.PIPE,
    )
    with caplog.at_level(logging.INFO, RELAYED.name):
        await LocalPod("kubia-0", 1, tmp_path, (), {})._relay(process)  # noqa: SLF001 - a pod writes none so long
    await process.wait()
    assert (caplog.messages[0], caplog.messages[-1]) == ("kubia-0 | before", "kubia-0 | after")
