"""The local set's name server caches as CoreDNS does: by name, type, DO and CD, also what does not exist."""

import dns.flags
import dns.message
import dns.rcode
import pytest

from kubia_pet.local.dns_server import Cache, Zone
from tests.support.dns_server import NAME

PODS = {"kubia-0": ("10.0.0.1", 8080)}


class Cached:
    """A cache before a zone whose pods the test changes, and a clock that it sets."""

    def __init__(self, ttl: int = 30) -> None:
        self.now = 0.0
        self.pods = dict(PODS)
        self.cache = Cache(Zone(NAME, self.pods, ttl).answer, 30, lambda: self.now)

    def ask(
        self, name: str = NAME, kind: str = "SRV", *, cd: bool = False, do: bool = False
    ) -> dns.message.Message:
        query = dns.message.make_query(name, kind, want_dnssec=do)
        query.flags |= dns.flags.CD if cd else 0
        answer = self.cache.answer(query)
        assert query.is_response(answer)
        return answer

    def known(self, name: str = NAME, *, cd: bool = False, do: bool = False) -> int:
        answer = self.ask(name, cd=cd, do=do).answer
        return len(answer[0]) if answer else 0


@pytest.fixture
def cached() -> Cached:
    return Cached()


def test_an_answer_stands_for_thirty_seconds_and_says_what_is_left_of_them(cached: Cached) -> None:
    assert cached.known() == 1
    cached.pods["kubia-1"] = "10.0.0.2", 8080
    for cached.now in (1.0, 12.5, 29.0):
        answer = cached.ask()
        assert len(answer.answer[0]) == len(answer.additional) == 1
        assert answer.answer[0].ttl == answer.additional[0].ttl == int(30 - cached.now)
    cached.now = 30.0
    assert cached.known() == 2


@pytest.mark.parametrize("name", [NAME, f"_http._tcp.{NAME}"])
@pytest.mark.parametrize("cd", [False, True])
@pytest.mark.parametrize("do", [False, True])
def test_each_name_and_each_bit_is_an_entry_of_its_own(
    cached: Cached, name: str, *, cd: bool, do: bool
) -> None:
    for known_name in (NAME, f"_http._tcp.{NAME}"):
        for known_cd in (False, True):
            for known_do in (False, True):
                if (known_name, known_cd, known_do) != (name, cd, do):
                    assert cached.known(known_name, cd=known_cd, do=known_do) == 1
    cached.pods["kubia-1"] = "10.0.0.2", 8080
    assert cached.known(name, cd=cd, do=do) == 2
    assert cached.known(name, cd=not cd, do=do) == 1


def test_what_does_not_exist_is_kept_too(cached: Cached) -> None:
    cached.pods.clear()
    assert cached.ask().rcode() == dns.rcode.NXDOMAIN
    cached.pods |= PODS
    cached.now = 29.0
    answer = cached.ask()
    assert (answer.rcode(), answer.authority[0].ttl) == (dns.rcode.NXDOMAIN, 1)
    cached.now = 31.0
    assert cached.known() == 1


def test_a_shorter_ttl_is_kept_to() -> None:
    cached = Cached(ttl=5)
    assert cached.known() == 1
    cached.pods["kubia-1"] = "10.0.0.2", 8080
    cached.now = 4.0
    assert cached.known() == 1
    cached.now = 5.0
    assert cached.known() == 2
