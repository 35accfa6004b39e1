"""The token that who changes something must show."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.test_replay import client_of
from tests.hostile.clients.raw_http import body_of, exchange, header_of, request, statuses
from tests.support.pod import Pod

TOKEN, OTHER = "cafe-0123456789", "beef-9876543210"


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    """As a Secret is mounted: links that are exchanged at once."""
    write_token(tmp_path, TOKEN)
    (tmp_path / "token").symlink_to("..data/token")
    return tmp_path / "token"


def write_token(path: Path, content: str | bytes) -> None:
    """As the kubelet does: another directory, to which a link leads from one moment to the next."""
    version = path / f"..{len(list(path.iterdir()))}"
    version.mkdir()
    (version / "token").write_bytes(content if isinstance(content, bytes) else f"{content}\n".encode())
    (path / "..new").symlink_to(version.name)
    (path / "..new").rename(path / "..data")


@pytest.fixture
def pod(token_file: Path, tmp_path: Path) -> Iterator[Pod]:
    with Pod(tmp_path / "pod" / "data", f"--token-file={token_file}", "--faults") as started:
        yield started


def change(method: str, path: str, *lines: str) -> bytes:
    return request(method, path, *lines, "Content-Length: 1", body=b"1")


SHOWN = [
    f"Authorization: Bearer {TOKEN}",
    f"authorization: bearer  {TOKEN}",
    f"Kubia-Pet-Token: {TOKEN}",
]
CHANGES = [
    *(("POST", "/"), ("PUT", "/"), ("DELETE", "/"), ("PUT", "/data"), ("DELETE", "/data")),
    *(("PUT", "/faults/slow"), ("DELETE", "/faults/slow"), ("DELETE", "/faults")),
]


async def test_who_shows_it_may_change_and_who_does_not_may_read(pod: Pod) -> None:
    for method, path in CHANGES:
        for line in SHOWN:
            assert statuses(await exchange(pod.url, change(method, path, line))) == [200], (method, line)
    assert statuses(await exchange(pod.url, change("POST", "/", SHOWN[0]))) == [200]
    for path in ("/", "/data", "/peers", "/healthz", "/readyz", "/metrics", "/openapi.json"):
        assert statuses(await exchange(pod.url, request("GET", path))) == [200], path


@pytest.mark.parametrize(
    "line",
    [
        *(f"Authorization: Bearer {wrong}" for wrong in (OTHER, TOKEN[:-1], f"{TOKEN}x", TOKEN.upper())),
        f"Authorization: Basic {TOKEN}",
        f"Authorization: {TOKEN}",
        "Authorization: Bearer",
        "Authorization: Bearer ",
        f"Kubia-Pet-Token: Bearer {TOKEN}",
        "Kubia-Pet-Token:",
        "Kubia-Pet-Token: \xff\xfe",
        f"Cookie: token={TOKEN}",
        "X-Nothing: 1",
    ],
)
async def test_whoever_does_not_show_it_is_told_how_and_changes_nothing(pod: Pod, line: str) -> None:
    assert statuses(await exchange(pod.url, change("POST", "/", SHOWN[0]))) == [200]
    for method, path in CHANGES:
        answer = await exchange(pod.url, change(method, f"{path}?token={TOKEN}", line))
        assert statuses(answer) == [401]
        challenge = header_of(answer, "WWW-Authenticate")
        shown_another = line.startswith(("Authorization: Bearer ", "Kubia-Pet-Token: ")) and line[-1] != " "
        error = ', error="invalid_token"' if shown_another else ""
        assert challenge == f'Bearer realm="kubia-pet"{error}'
        assert body_of(answer).endswith(b"say Authorization: Bearer TOKEN, or Kubia-Pet-Token: TOKEN.\n")
    assert body_of(await exchange(pod.url, request("GET", "/data"))) == b"1"


async def test_a_body_is_not_asked_for_without_it(pod: Pod) -> None:
    sent = request("POST", "/", "Content-Length: 1000", "Expect: 100-continue")
    assert statuses(await exchange(pod.url, sent)) == [401]


def post(token: str, body: bytes) -> bytes:
    lines = ["POST / HTTP/1.1", "Host: a", f"Kubia-Pet-Token: {token}", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def test_an_exchanged_token_is_asked_for_within_a_moment_of_repeated_requests_too(
    pod: Pod, tmp_path: Path
) -> None:
    async with client_of(pod.url) as old, client_of(pod.url) as new:
        for number in range(20):  # from the second on they take the short cut
            assert (await old.ask(post(TOKEN, b"old %02d" % number))).status == 200
        write_token(tmp_path, OTHER)
        async with asyncio.timeout(3):
            while (await new.ask(post(OTHER, b"by the new"))).status != 200:
                # Meanwhile the old one holds, and its answer is one that may be repeated.
                assert (await old.ask(post(TOKEN, b"old %02d" % 99))).status == 200
                await asyncio.sleep(0.02)
        assert (await old.ask(post(TOKEN, b"old %02d" % 66))).status == 401
        assert (await old.ask(post(OTHER, b"by the new"))).status == 200
    assert body_of(await exchange(pod.url, request("GET", "/data"))) == b"by the new"
    assert "holds another token" in pod.log.read_text()


async def test_while_the_file_is_spoilt_nobody_may_change_anything(pod: Pod, tmp_path: Path) -> None:
    for spoilt, why in ((b" \n", "is empty"), (b"\xff\xfe", "is not UTF-8 text")):
        write_token(tmp_path, spoilt)
        async with asyncio.timeout(3), client_of(pod.url) as client:
            while (answer := await client.ask(post(TOKEN, b"1"))).status != 503:
                assert answer.status == 200
                await asyncio.sleep(0.02)
            until_mended = f"{why}. Until it is mended nobody may change anything.".encode()
            assert answer.body.rstrip().endswith(until_mended)
            assert (await client.ask(post("", b"1"))).status == 503
            write_token(tmp_path, TOKEN)
            while (await client.ask(post(TOKEN, b"1"))).status != 200:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.02)
        assert pod.log.read_text().count(why) == 1, "said once"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot be read: No such file or directory."),
        (b"", "is empty."),
        (b" \n\n", "is empty."),
        (b"caf\xe9", "is not UTF-8 text."),
        (b"one\ntwo\n", "holds more than one word of visible characters."),
        (b"one\0two\n", "holds more than one word of visible characters."),
        (b"x" * 5000, "is over 4096 bytes."),
    ],
)
def test_a_file_without_a_token_is_a_clear_error_at_the_start(
    tmp_path: Path, content: bytes | None, sentence: str
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    command = [sys.executable, "-m", "kubia_pet", "serve", "--host=127.0.0.1", "--port=0", "--service="]
    result = subprocess.run(
        [*command, f"--data-dir={tmp_path}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
        env=os.environ | {"KUBIAPET_TOKEN_FILE": str(file)},
    )
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.endswith(f"ERROR The token file {file} {sentence}")
