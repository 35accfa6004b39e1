"""The HTTP API, as its users meet it: a real pod, asked over HTTP."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from kubia_pet import __version__
from kubia_pet.local.dns_server import NameServer, Zone
from tests.support.dns_server import NAME
from tests.support.pod import Pod, files_on

PLAIN = {"Accept": "text/plain"}


@pytest.fixture
async def client(pod: Pod) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(pod.url) as session:
        yield session


async def text_of(client: aiohttp.ClientSession, path: str = "/", **headers: str) -> str:
    async with client.get(path, headers=headers) as response:
        return await response.text()


async def test_an_empty_pod_says_so_in_the_books_words(client: aiohttp.ClientSession) -> None:
    assert await text_of(client) == "You've hit kubia-0\nData stored on this pod: No data posted yet\n"


async def test_a_posted_value_is_acknowledged_and_shown(client: aiohttp.ClientSession) -> None:
    async with client.post("/", data="Hey there! This greeting was submitted to kubia-0.") as response:
        assert (response.status, await response.text()) == (200, "Data stored on pod kubia-0\n")
    assert await text_of(client) == (
        "You've hit kubia-0\nData stored on this pod: Hey there! This greeting was submitted to kubia-0.\n"
    )


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "application/json", "text/html", "x/y"]
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_a_body_is_stored_byte_for_byte_whatever_its_type(
    client: aiohttp.ClientSession, pod: Pod, method: str, kind: str
) -> None:
    body = bytes(range(256)) * 3 + b"a=b&c=%20+\r\n"
    async with client.request(method, "/", data=body, headers={"Content-Type": kind}) as response:
        assert response.status == 200
    assert (pod.data_dir / "kubia.txt").read_bytes() == body
    async with client.get("/data") as response:
        assert await response.read() == body
        assert response.content_type == "application/octet-stream"


async def test_nothing_else_of_ours_is_visible_on_the_volume(client: aiohttp.ClientSession, pod: Pod) -> None:
    async with client.post("/", data="x") as response:
        assert response.status == 200
    assert files_on(pod.data_dir) == ["kubia.txt"]


async def test_a_removed_value_is_gone(client: aiohttp.ClientSession, pod: Pod) -> None:
    async with client.post("/", data="x"):
        pass
    async with client.delete("/") as response:
        assert (response.status, await response.text()) == (200, "Data removed from pod kubia-0\n")
    async with client.get("/data", headers=PLAIN) as response:
        assert (response.status, await response.text()) == (404, "No data posted yet\n")
    assert files_on(pod.data_dir) == []


async def test_removing_nothing_is_no_error(client: aiohttp.ClientSession) -> None:
    async with client.delete("/") as response:
        assert response.status == 200


async def test_an_empty_body_is_a_value_too(client: aiohttp.ClientSession) -> None:
    async with client.post("/", data=b"") as response:
        assert response.status == 200
    async with client.get("/data") as response:
        assert (response.status, await response.read()) == (200, b"")


async def test_data_is_revalidated_by_a_strong_etag(client: aiohttp.ClientSession) -> None:
    async with client.post("/", data="grüße"):
        pass
    async with client.get("/data") as response:
        etag = response.headers["ETag"]
        assert not etag.startswith("W/")
        assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Cache-Control"] == "no-cache"
    for known in (etag, f'"other", {etag}', f"W/{etag}", "*"):
        async with client.get("/data", headers={"If-None-Match": known}) as response:
            assert (response.status, await response.read()) == (304, b"")
            assert response.headers["ETag"] == etag
    async with client.get("/data", headers={"If-None-Match": '"other"'}) as response:
        assert response.status == 200


async def test_head_has_the_header_of_get_and_no_body(client: aiohttp.ClientSession) -> None:
    async with client.post("/", data="four"):
        pass
    async with client.head("/data") as response:
        assert (response.status, response.headers["Content-Length"]) == (200, "4")
        assert await response.read() == b""


async def test_what_others_change_on_the_volume_shows_in_the_next_get(
    client: aiohttp.ClientSession, pod: Pod
) -> None:
    (pod.data_dir / "kubia.txt").write_text("by kubectl exec")
    assert "Data stored on this pod: by kubectl exec\n" in await text_of(client)


async def test_json_is_for_who_prefers_it(client: aiohttp.ClientSession) -> None:
    async with client.post("/", data="Hey"):
        pass
    seen = json.loads(await text_of(client, Accept="text/plain;q=0.5, application/json"))
    ledger = seen.pop("ledger")
    assert seen == {"pod": "kubia-0", "value": "Hey", "service": None, "discovery": None, "peers": []}
    assert ledger["verdict"] == "good"
    assert (await text_of(client, Accept="application/json;q=0.1, text/plain")).startswith("You've hit")
    assert (await text_of(client, Accept="image/png, */*;q=0.1")).startswith("You've hit")


async def test_json_has_bytes_that_are_not_utf8_as_base64(client: aiohttp.ClientSession) -> None:
    async with client.post("/", data=b"\xff\x00"):
        pass
    seen = json.loads(await text_of(client, Accept="application/json"))
    assert (seen["value"], seen["encoding"]) == ("/wA=", "base64")


async def test_errors_are_a_sentence_or_problem_details(client: aiohttp.ClientSession) -> None:
    async with client.get("/nowhere") as response:
        assert (response.status, response.content_type) == (404, "text/plain")
    async with client.get("/nowhere", headers={"Accept": "application/json"}) as response:
        assert response.content_type == "application/problem+json"
        assert (await response.json(content_type=None))["status"] == 404


async def test_a_wrong_method_is_told_which_are_right(client: aiohttp.ClientSession) -> None:
    async with client.post("/data", data="x") as response:
        assert (response.status, response.headers["Allow"]) == (405, "DELETE, GET, HEAD, PUT")


async def test_probes_say_what_they_stand_for(client: aiohttp.ClientSession) -> None:
    assert await text_of(client, "/healthz") == "alive\n"
    assert await text_of(client, "/readyz") == "ready\n"


async def test_metrics_count_by_route_template(client: aiohttp.ClientSession) -> None:
    for path in ("/data", "/nowhere", "/nowhere-else"):
        await text_of(client, path)
    async with client.post("/", data="12345"):
        pass
    await text_of(client, "/data")
    lines = (await text_of(client, "/metrics")).splitlines()
    assert 'kubia_pet_request_seconds_count{method="GET",route="/data",status="404"} 1.0' in lines
    assert 'kubia_pet_request_seconds_count{method="GET",route="none",status="404"} 2.0' in lines
    assert 'kubia_pet_commit_seconds_count{outcome="ok"} 1.0' in lines
    assert "kubia_pet_value_bytes 5.0" in lines


async def test_the_document_says_which_version_answers(client: aiohttp.ClientSession) -> None:
    assert json.loads(await text_of(client, "/openapi.json"))["info"]["version"] == __version__


async def test_peers_are_listed_in_the_books_words_by_every_pod(tmp_path: Path) -> None:
    endpoints: dict[str, tuple[str, int]] = {}
    async with NameServer(Zone(NAME, endpoints), "127.0.0.1", 0) as (address, port):
        options = (f"--service={NAME}", f"--nameserver={address}:{port}", "--dns-max-age=0")
        with (
            Pod(tmp_path / "0" / "data", *options, name="kubia-0") as zero,
            Pod(tmp_path / "1" / "data", *options, name="kubia-1") as one,
        ):
            for each in (zero, one):
                endpoints[each.name] = "127.0.0.1", int(each.url.rpartition(":")[2])
            async with aiohttp.ClientSession() as session:
                async with session.post(one.url, data="Hey there!"):
                    pass
                async with session.get(zero.url) as response:
                    assert await response.text() == (
                        "You've hit kubia-0\n"
                        "Data stored on this pod: No data posted yet\n"
                        "Data stored in the cluster:\n"
                        "- kubia-0.kubia.default.svc.cluster.local: No data posted yet\n"
                        "- kubia-1.kubia.default.svc.cluster.local: Hey there!\n"
                    )
                async with session.get(one.url, headers={"Accept": "application/json"}) as response:
                    seen = await response.json()
    assert seen["service"] == NAME
    assert seen["discovery"]["error"] is None
    assert seen["peers"] == [
        {"name": f"kubia-0.{NAME}", "ordinal": 0, "self": False, "value": None},
        {"name": f"kubia-1.{NAME}", "ordinal": 1, "self": True, "value": "Hey there!"},
    ]
