"""Pods for the tests of the HTTP API."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.support.pod import Pod

LIMIT = 4096
OLD = "the old value"
STRICT = (f"--max-value={LIMIT}", "--body-timeout=1s", "--client-timeout=1s")


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    """A pod with a small limit and short deadlines."""
    with Pod(tmp_path_factory.mktemp("strict") / "data", *STRICT) as started:
        yield started


@pytest.fixture
async def holding(strict: Pod) -> AsyncIterator[str]:
    """The URL of the strict pod, that holds an old value and must do so afterwards."""
    async with aiohttp.ClientSession(strict.url) as session:
        async with session.post("/", data=OLD) as response:
            assert response.status == 200
        yield strict.url
        async with session.get("/data") as response:
            assert await response.text() == OLD


@pytest.fixture(params=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """The environment of a pod that runs on this event loop, uvloop where it is installed."""
    if request.param == "uvloop":
        return {}
    (tmp_path / "uvloop.py").write_text("raise ImportError")
    return {"PYTHONPATH": str(tmp_path)}
