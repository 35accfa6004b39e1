"""The image as an engine runs it."""

import io
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.models.images import Image

from kubia_pet import __version__
from kubia_pet.config import Settings
from tests.container.engine import HARDENED, ROOT, Engine, Pet, answer, log_of
from tests.support.dns_server import NAME
from tests.support.pod import until

pytestmark = pytest.mark.timeout(300)  # the first one builds the image
GREETING = "Hey there! This greeting was submitted to kubia."
DATA = str(Settings().data_dir)
BASE = re.findall(r"^ARG BASE=(\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[0]


def on(volume: str, mode: str = "rw") -> dict[str, Any]:
    return {"volumes": {volume: {"bind": DATA, "mode": mode}}}


# What it is made of


def test_it_says_what_it_is(image: Image) -> None:
    labels = image.labels
    assert labels["org.opencontainers.image.title"] == "kubia-pet"
    assert labels["org.opencontainers.image.version"] == __version__
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"


def test_it_adds_less_than_30_mb_to_its_base(
    client: docker.DockerClient, image: Image, figures: list[str]
) -> None:
    added = image.attrs["Size"] - client.images.get(BASE).attrs["Size"]
    figures.append(f"the image adds {added / 1e6:.1f} MB to {BASE}")
    assert added < 30e6


def test_its_user_is_a_number_and_not_root(image: Image) -> None:
    user, _, group = image.attrs["Config"]["User"].partition(":")
    assert user.isdigit()
    assert group.isdigit()
    assert int(user) > 0


def test_nothing_of_the_build_is_left_over(engine: Engine, image: Image) -> None:
    pet = engine.pet(image)
    code = (
        "import importlib.util as u, os;"
        "print([name for name in ('pip', 'setuptools', 'hatchling', 'tests') if u.find_spec(name)],"
        " os.path.exists('/build'), os.listdir('/tmp'))"
    )
    assert pet.run("python", "-c", code) == (0, "[] False []\n")


def test_every_module_has_its_bytecode(engine: Engine, image: Image) -> None:
    pet = engine.pet(image)
    code = (
        "import importlib.util as u, pathlib, sysconfig;"
        "site = pathlib.Path(sysconfig.get_path('purelib'));"
        "print([str(f) for f in site.rglob('*.py') if not pathlib.Path(u.cache_from_source(f)).exists()])"
    )
    assert pet.run("python", "-c", code) == (0, "[]\n")


def test_no_bytecode_is_checked_against_the_date_of_its_source(engine: Engine, image: Image) -> None:
    code = (
        "import pathlib, sysconfig;"
        "site = pathlib.Path(sysconfig.get_path('purelib'));"
        "print([str(f) for f in site.rglob('*.pyc') if f.read_bytes()[4:8] != b'\\x01\\0\\0\\0'])"  # PEP 552
    )
    assert engine.pet(image).run("python", "-c", code) == (0, "[]\n")


@pytest.fixture
def on_bare_base(client: docker.DockerClient) -> Iterator[Image]:
    """The image on a base without bytecode, as the official one is."""
    strip = f"FROM {BASE}\nRUN find / -xdev -name __pycache__ -prune -exec rm -r {{}} +\n"
    base, _ = client.images.build(fileobj=io.BytesIO(strip.encode()), rm=True, forcerm=True)
    built, _ = client.images.build(path=str(ROOT), buildargs={"BASE": str(base.id)}, rm=True, forcerm=True)
    yield built
    client.images.remove(str(built.id), force=True)  # its first stage is the builder's, and that one's base


def test_nothing_is_compiled_to_serve_or_to_tell_of_its_health(on_bare_base: Image, engine: Engine) -> None:
    options = {"PYTHONVERBOSE": "1", "KUBIAPET_SERVICE": f"{NAME}.", "KUBIAPET_NAMESERVER": "127.0.0.1:53"}
    pet = engine.pet(on_bare_base, environment=options, read_only=True)
    pet.post(GREETING)
    assert GREETING in pet.get()
    assert "dns-failed" in pet.get("/peers")
    pet.get("/openapi.json")
    pet.get("/metrics")
    status, of_health = pet.run("env", "PYTHONVERBOSE=1", "kubia-pet", "health")
    assert status == 0
    for told in (log_of(pet.container), of_health):
        assert "code object from" in told, "it tells where each module comes from"
        assert re.findall(r"code object from (/\S+\.py)$", told, re.MULTILINE) == []


def test_it_is_fast_by_uvloop_and_the_c_parser(engine: Engine, image: Image) -> None:
    code = "import uvloop, aiohttp.http_parser as p; print(p.HttpRequestParser.__module__)"
    assert engine.pet(image).run("python", "-c", code) == (0, "aiohttp._http_parser\n")


# How it runs


def test_the_pet_is_process_1(engine: Engine, image: Image) -> None:
    status, command = engine.pet(image).run("cat", "/proc/1/cmdline")
    assert status == 0
    assert command.split("\0")[-3:] == ["/opt/kubia-pet/bin/kubia-pet", "serve", ""]


def test_it_is_ready_soon(engine: Engine, image: Image, figure: Callable[[str], None]) -> None:
    began = time.monotonic()
    engine.pet(image, **HARDENED)
    figure(f"a container is ready {time.monotonic() - began:.2f} s after it was asked for")


def test_data_survives_the_container_on_a_named_volume(engine: Engine, image: Image) -> None:
    volume = engine.volume()
    first = engine.pet(image, **on(volume.name))
    first.post(GREETING)
    first.container.remove(force=True)
    second = engine.pet(image, **on(volume.name))
    assert second.get().splitlines()[1] == f"Data stored on this pod: {GREETING}"


@pytest.mark.parametrize("drain", [0, 2])
def test_sigterm_ends_it_in_time_with_0_and_loses_nothing(engine: Engine, image: Image, drain: int) -> None:
    volume = engine.volume()
    pet = engine.pet(image, environment={"KUBIAPET_DRAIN": f"{drain}s"}, **on(volume.name))
    pet.post(GREETING)
    url, acknowledged = pet.url, GREETING
    began = time.monotonic()
    pet.container.kill("SIGTERM")
    if drain:
        until("it to be not ready", lambda: answer(f"{url}/readyz")[0] == 503)
        acknowledged = "written while it ended"
        assert answer(f"{url}/", "POST", acknowledged.encode())[0] == 200
    assert pet.container.wait(timeout=30)["StatusCode"] == 0
    assert time.monotonic() - began < drain + 2
    assert engine.pet(image, **on(volume.name)).get("/data") == acknowledged


def test_a_crash_on_purpose_ends_process_1_as_a_kill_does(engine: Engine, image: Image) -> None:
    volume = engine.volume()
    pet = engine.pet(image, environment={"KUBIAPET_FAULTS": "true"}, **on(volume.name))
    pet.post(GREETING)
    with pytest.raises(ConnectionError):
        answer(f"{pet.url}/faults/crash", "PUT")
    assert pet.container.wait(timeout=30)["StatusCode"] == 137
    assert engine.pet(image, **on(volume.name)).get("/data") == GREETING


def test_it_is_healthy_while_its_event_loop_answers(engine: Engine, image: Image) -> None:
    pet = engine.pet(image, **HARDENED)

    def health() -> str:
        pet.container.reload()
        return str(pet.container.attrs["State"]["Health"]["Status"])

    until("the container to be healthy", lambda: health() == "healthy", 40)
    assert pet.run("kubia-pet", "health") == (0, "The pod at 127.0.0.1 port 8080 is alive.\n")
    pet.container.kill("SIGSTOP")
    assert pet.run("kubia-pet", "health") == (
        1,
        "The pod at 127.0.0.1 port 8080 does not answer: timed out.\n",
    )
    pet.container.kill("SIGCONT")
    assert pet.run("kubia-pet", "health")[0] == 0


def test_its_health_is_asked_where_the_settings_say_it_listens(engine: Engine, image: Image) -> None:
    environment = {"KUBIAPET_PORT": "9090", "KUBIAPET_HOST": "::1"}
    pet = Pet(engine.start(image, environment=environment, sysctls={"net.ipv6.conf.all.disable_ipv6": "0"}))
    until("it to live", lambda: pet.run("kubia-pet", "health") == (0, "The pod at ::1 port 9090 is alive.\n"))


def test_its_health_is_asked_at_the_port_that_is_an_option(engine: Engine, image: Image) -> None:
    pet = Pet(engine.start(image, "serve", "--port=9091"))
    until(
        "it to live",
        lambda: pet.run("kubia-pet", "health") == (0, "The pod at 127.0.0.1 port 9091 is alive.\n"),
    )


# Hardened, and as other users

USERS = {"its own user": None, "any user, as on OpenShift": "1000680000", "any user and group": "4242:4242"}


@pytest.mark.parametrize("user", USERS.values(), ids=USERS.keys())
def test_it_runs_hardened_as(engine: Engine, image: Image, user: str | None) -> None:
    volume = engine.volume()
    mode = "rw"
    if user == "4242:4242":  # no group 0: the volume's directory must be given to it, and must stay so
        mode = "nocopy"
        chown = engine.start(image, user="0", entrypoint=["chown", user, DATA], **on(volume.name, mode))
        assert chown.wait(timeout=30)["StatusCode"] == 0
    pet = engine.pet(image, user=user, **HARDENED, **on(volume.name, mode))
    pet.post(GREETING)
    assert pet.get("/data") == GREETING
    status, _ = pet.run("touch", "/opt/kubia-pet/x")
    assert status != 0
    pet.container.restart(timeout=20)
    assert pet.ready().get("/data") == GREETING


DENIED = {"read-only": (0o777, "ro"), "another user's": (0o755, "rw"), "another user's secret": (0o700, "rw")}


@pytest.mark.parametrize(("permissions", "mode"), DENIED.values(), ids=DENIED.keys())
def test_a_volume_it_may_not_write_ends_it_with_one_sentence(
    engine: Engine, image: Image, tmp_path: Path, permissions: int, mode: str
) -> None:
    directory = tmp_path / "data"
    directory.mkdir()
    directory.chmod(permissions)
    found = directory.stat()
    container = engine.start(image, **on(str(directory), mode))
    assert container.wait(timeout=30)["StatusCode"] == 1
    (line,) = log_of(container).splitlines()
    reason = "Read-only file system" if mode == "ro" else "Permission denied"
    owner = f"it belongs to {found.st_uid}:{found.st_gid} with mode {permissions:04o}"
    said, remedy = line.split(" ERROR ")[1].split(" user 10001:10001. ")
    assert said == f"{DATA} cannot be written ({reason}): {owner}, and this is"
    if mode == "ro":
        assert remedy == "It is mounted read-only: mount it writable."
    else:  # which part of the node's disk it is depends on the machine
        assert remedy.startswith("It is the directory /")
        assert remedy.endswith(
            ", as a hostPath volume is, of which fsGroup changes nothing: chown it to 10001 on the node."
        )


def test_the_log_is_json_where_that_is_wanted(engine: Engine, image: Image) -> None:
    pet = engine.pet(image, environment={"KUBIAPET_LOG_FORMAT": "json"})
    lines = [json.loads(line) for line in log_of(pet.container).splitlines()]
    assert {line["level"] for line in lines} == {"info"}
    assert [line for line in lines if f"volume {DATA}" in line["message"]]
