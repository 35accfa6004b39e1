"""Everybody's value: all peers at once, within deadlines and bounds, each answer a value or a label."""

import asyncio
import logging
import os
import socket
import time
from contextlib import AsyncExitStack

import dns.rcode
import pytest

from tests.support.bad_peers import (
    ENDLESS,
    Behaviour,
    answers,
    black_hole,
    hangs,
    original,
    peer,
    refusing,
    request,
    says,
)
from tests.support.dns_server import NAME, rcode
from tests.support.gathering import MIB, view_of


def late(behaviour: Behaviour, seconds: float) -> Behaviour:
    """The same, some time after a connection was made."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(seconds)
        await behaviour(reader, writer)

    return behave


needs_ipv6 = pytest.mark.skipif(
    not socket.has_dualstack_ipv6() and "CI" not in os.environ, reason="this machine has no IPv6"
)
GOOD = answers(b"Hey there!", Content_Type="text/plain; charset=utf-8")
EMPTY = answers(b"No data posted yet\n", "404 Not Found", Content_Type="text/plain; charset=utf-8")
GARBLED = says(b"\x16\x03\x01 what is this? \xff\xfe\r\n\r\n")


async def test_values_of_peers_are_gathered_in_the_order_of_their_ordinals() -> None:
    async with (
        peer(GOOD) as good,
        peer(EMPTY) as empty,
        view_of({"kubia-10": good, "kubia-2": empty}) as view,
    ):
        gathered = await view.answers()
        assert list(gathered) == ["kubia-0", "kubia-2", "kubia-10"]
        assert await view.labels() == {"kubia-2": "None", "kubia-10": "Hey there!"}
        assert view.outcomes.seen == ["dns", "ok", "ok"] * 2


async def test_this_pods_own_value_is_never_asked_for_over_http() -> None:
    asked = []

    async def behave(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        asked.append(await request(reader))

    async with peer(behave) as port, view_of({"kubia-0": port}) as view:
        (own,) = (await view.answers()).values()
        assert own.error is None
    assert asked == []


async def test_peers_are_asked_for_nothing_but_their_data_and_without_encoding() -> None:
    asked = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await request(reader))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")

    async with peer(behave) as port, view_of({"kubia-1": port}) as view:
        await view.labels()
    (header,) = asked
    lines = header.decode().split("\r\n")
    assert lines[0] == "GET /data HTTP/1.1"
    assert {"Accept-Encoding: identity", "Accept: */*"} <= set(lines)
    assert "cookie" not in header.decode().lower()


async def test_a_peer_is_asked_by_its_full_name_so_that_another_pod_can_tell() -> None:
    asked = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            asked.append(await request(reader))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")

    async with peer(behave) as port, view_of({"kubia-1": port, "kubia-2": port}) as view:
        await view.labels()
        await view.labels()
    hosts = [line for header in asked for line in header.decode().split("\r\n") if line.startswith("Host")]
    assert sorted(hosts) == [f"Host: kubia-{number}.{NAME}:{port}" for number in (1, 1, 2, 2)]


async def test_a_name_that_no_header_may_hold_is_left_out_of_it() -> None:
    asked = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await request(reader))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")

    async with peer(behave) as port, view_of({r"odd\032\010name-1": port}) as view:
        await view.labels()
    assert f"\r\nHost: 127.0.0.1:{port}\r\n".encode() in asked[0]


async def test_a_pod_that_is_another_one_by_now_is_no_value_and_makes_discovery_look_anew() -> None:
    other = answers(b"I am kubia-2, not kubia-1", "421 Misdirected Request")
    async with peer(other) as port, peer(GOOD) as good, view_of({"kubia-1": port}, max_age=60) as view:
        answer = (await view.answers())["kubia-1"]
        assert (answer.value, answer.error and answer.error.code) == (None, "other-pod")
        view.place({"kubia-1": good})
        deadline = time.monotonic() + 1.5
        while await view.labels() != {"kubia-1": "Hey there!"}:
            assert time.monotonic() < deadline


async def test_a_peer_that_refuses_makes_discovery_look_anew_at_most_once_a_second() -> None:
    with refusing() as refused:
        async with view_of({"kubia-1": refused}, max_age=60) as view:
            began = time.monotonic()
            while time.monotonic() - began < 2.5:
                assert await view.labels() == {"kubia-1": "(refused)"}
    assert 3 <= view.outcomes.seen.count("dns") <= 4


async def test_an_original_kubia_pet_is_a_valid_peer() -> None:
    async with (
        peer(original(b"Hey there! This greeting was submitted to kubia-1.")) as written,
        peer(original(None)) as empty,
        peer(original(b"")) as nothing,
        view_of({"kubia-1": written, "kubia-2": empty, "kubia-3": nothing}) as view,
    ):
        assert await view.labels() == {
            "kubia-1": "Hey there! This greeting was submitted to kubia-1.",
            "kubia-2": "No data posted yet",
            "kubia-3": "",
        }


async def test_a_list_with_bad_peers_is_one_answer_in_time_and_each_is_labelled() -> None:
    async with (
        peer(original(b"Hey there!")) as first,
        peer(original(None)) as second,
        peer(hangs) as hung,
        peer(ENDLESS) as endless,
        peer(GARBLED) as garbled,
    ):
        with refusing() as refused:
            ports = dict(enumerate((first, second, hung, refused, endless, garbled), start=1))
            async with view_of({f"kubia-{ordinal}": port for ordinal, port in ports.items()}) as view:
                assert await view.labels() == {
                    "kubia-1": "Hey there!",
                    "kubia-2": "No data posted yet",
                    "kubia-3": "(timeout)",
                    "kubia-4": "(refused)",
                    "kubia-5": "(too-much)",
                    "kubia-6": "(garbled)",
                }
                assert view.took < 0.6 + 0.25


async def test_labels_are_sentences_that_say_why() -> None:
    async with peer(hangs) as hung, peer(ENDLESS) as endless, peer(answers(b"", "500 Oops")) as broken:
        with refusing() as refused:
            ports = {"kubia-1": hung, "kubia-2": endless, "kubia-3": broken, "kubia-4": refused, "kubia-5": 0}
            async with view_of(ports) as view:
                gathered = await view.answers()
    assert [answer.error.message for answer in gathered.values() if answer.error] == [
        "no answer within 0.6 s",
        "sent more than 1048576 bytes",
        "answered 500",
        f"127.0.0.1 port {refused} refuses connections",
        "DNS has no address for it",
    ]


async def test_all_peers_are_asked_at_once() -> None:
    together = asyncio.Barrier(10)

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        await together.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")

    async with (
        peer(behave) as port,
        view_of({f"kubia-{ordinal}": port for ordinal in range(1, 11)}) as view,
    ):
        assert set((await view.labels()).values()) == {"x"}


async def test_connections_are_kept_and_used_again() -> None:
    connections = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        await GOOD(reader, writer)

    async with peer(behave) as port, view_of({"kubia-1": port}) as view:
        for _ in range(5):
            assert await view.labels() == {"kubia-1": "Hey there!"}
    assert len(connections) == 1


async def test_connections_to_peers_that_hang_or_never_end_are_closed() -> None:
    ended = asyncio.Semaphore(0)

    def noted(behaviour: Behaviour) -> Behaviour:
        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await behaviour(reader, writer)
            finally:
                ended.release()

        return behave

    async def hangs_until_closed(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with (
        peer(noted(hangs_until_closed)) as hung,
        peer(noted(ENDLESS)) as endless,
        view_of({"kubia-1": hung, "kubia-2": endless}, each=0.2) as view,
    ):
        assert await view.labels() == {"kubia-1": "(timeout)", "kubia-2": "(too-much)"}
        async with asyncio.timeout(1):
            await ended.acquire()
            await ended.acquire()


async def test_the_whole_answer_has_a_deadline_of_its_own() -> None:
    async with peer(hangs) as hung, peer(GOOD) as good:
        ports = {f"kubia-{ordinal}": hung for ordinal in range(2, 100)}
        async with view_of({"kubia-1": good, **ports}, each=0.6, together=0.8) as view:
            labels = await view.labels()
            assert view.took < 0.8 + 0.25
    assert labels.pop("kubia-1") == "Hey there!"
    assert len(labels) == 98
    assert set(labels.values()) == {"(timeout)"}


async def test_more_hung_peers_than_are_asked_at_once_do_not_hide_those_behind_them() -> None:
    async with peer(hangs) as hung, peer(GOOD) as good:
        ports = {f"kubia-{ordinal}": hung for ordinal in range(1, 50)}
        async with view_of({**ports, "kubia-99": good}, each=0.3) as view:
            assert (await view.labels())["kubia-99"] == "Hey there!"


async def test_a_peer_whose_turn_never_came_is_not_held_to_have_been_silent() -> None:
    async with peer(hangs) as hung, peer(GOOD) as good:
        ports = {f"kubia-{ordinal}": hung for ordinal in range(1, 71)}
        async with view_of({**ports, "kubia-99": good}, connecting=1, each=1, together=1.3) as view:
            error = (await view.answers())["kubia-99"].error
            assert error
            assert error.message == "was not asked within 1.3 s: too many others are slow"
            assert (await view.labels())["kubia-99"] == "Hey there!"


@needs_ipv6
async def test_a_pod_with_two_addresses_is_asked_on_the_second_where_the_first_refuses() -> None:
    async with (
        peer(GOOD, host="::1") as port,
        view_of({"kubia-1": (port, ["127.0.0.1", "::1"])}) as view,
    ):
        assert await view.labels() == {"kubia-1": "Hey there!"}


@needs_ipv6
async def test_and_where_the_first_is_a_black_hole_within_the_same_deadline() -> None:
    with black_hole() as lost:
        async with AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(peer(GOOD, host="::1", port=lost))
            except OSError:
                pytest.skip("the port is taken on ::1")
            view = await stack.enter_async_context(
                view_of({"kubia-1": (lost, ["127.0.0.1", "::1"])}, connecting=0.2, each=1.0)
            )
            assert await view.labels() == {"kubia-1": "Hey there!"}
            assert 0.2 < view.took < 1.0
            assert await view.labels() == {"kubia-1": "Hey there!"}
            assert view.took < 0.2  # by the connection to the second one, which is kept


async def test_connecting_to_a_peer_never_outlasts_its_deadline() -> None:
    with black_hole() as lost:
        async with view_of({"kubia-1": lost}, connecting=5, each=0.3) as view:
            assert await view.labels() == {"kubia-1": "(timeout)"}
            assert view.took < 0.3 + 0.25


async def test_the_largest_value_is_taken_and_one_byte_more_is_too_much() -> None:
    async with (
        peer(answers(b"x" * MIB)) as most,
        peer(answers(b"x" * (MIB + 1))) as more,
        view_of({"kubia-1": most, "kubia-2": more}) as view,
    ):
        gathered = await view.answers()
    assert gathered["kubia-1"].value is not None
    assert len(gathered["kubia-1"].value.data) == MIB
    assert gathered["kubia-2"].error is not None
    assert gathered["kubia-2"].error.code == "too-much"


async def test_all_values_together_have_a_bound_and_who_is_left_out_is_labelled() -> None:
    async with peer(answers(b"x" * 1000)) as port:
        ports = {f"kubia-{ordinal}": port for ordinal in range(1, 11)}
        async with view_of(ports, limit_together=4500) as view:
            gathered = await view.answers()
    errors = {host: answer.error.message for host, answer in gathered.items() if answer.error}
    assert errors == {
        f"kubia-{ordinal}": "left out: the answers together exceed 4500 bytes" for ordinal in range(5, 11)
    }


@pytest.mark.parametrize("slow", range(1, 7))
async def test_ordinals_decide_who_is_left_out_not_who_answers_first(slow: int) -> None:
    values = {1: b"x" * 1000, 2: b"y" * 3000, 3: b"z" * 2000, 4: b"4", 5: b"5", 6: b"6"}
    async with AsyncExitStack() as peers:
        ports = {
            f"kubia-{number}": await peers.enter_async_context(
                peer(late(answers(value), 0.1 if number == slow else 0.0))
            )
            for number, value in values.items()
        }
        async with view_of(ports, limit_together=4500) as view:
            labels = await view.labels()
    assert [label[:1] for label in labels.values()] == ["x", "y", "(", "(", "(", "("]


async def test_what_a_failed_peer_sent_is_not_held_against_the_others() -> None:
    """Its bytes are dropped, so they leave room."""
    async with (
        peer(says(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n", b"x" * 3000)) as short,
        peer(answers(b"x" * 3500)) as good,
        view_of({"kubia-1": short}, limit_together=4000) as view,
    ):
        assert await view.labels() == {"kubia-1": "(garbled)"}
        view.place({f"kubia-{ordinal}": short for ordinal in range(1, 30)} | {"kubia-30": good})
        assert (await view.labels())["kubia-30"] == "x" * 3500


async def test_a_peer_is_not_followed_elsewhere() -> None:
    async with peer(GOOD) as good:
        moved = answers(b"", "302 Found", Location=f"http://127.0.0.1:{good}/data")
        async with peer(moved) as port, view_of({"kubia-1": port}) as view:
            (_, answer) = (await view.answers()).values()
    assert answer.error is not None
    assert answer.error.message == "answered 302"


async def test_only_the_sentence_no_data_is_no_data() -> None:
    async with peer(answers(b"no such page", "404 Not Found")) as port, view_of({"kubia-1": port}) as view:
        assert await view.labels() == {"kubia-1": "(status)"}


async def test_a_peer_that_restarts_where_it_was_is_no_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with view_of({"kubia-1": listener.getsockname()[1]}) as view:
            for value in ("once", "again", "and again"):
                async with peer(answers(value.encode()), listener=listener):
                    assert await view.labels() == {"kubia-1": value}


async def test_a_peer_that_restarts_on_a_new_address_is_no_error_once_dns_knows_it() -> None:
    async with view_of({}) as view:
        for value in ("here", "there", "elsewhere"):
            async with peer(answers(value.encode())) as port:
                view.place({"kubia-1": port})
                assert await view.labels() == {"kubia-1": value}


async def test_a_failing_peer_is_logged_once_and_once_more_when_it_is_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    async with peer(GOOD) as good:
        with refusing() as refused:
            async with view_of({"kubia-1": refused}) as view:
                for _ in range(3):
                    await view.labels()
                view.place({"kubia-1": good})
                for _ in range(3):
                    await view.labels()
    assert [record.message for record in caplog.records] == [
        f"Peer kubia-1.kubia.default.svc.cluster.local: 127.0.0.1 port {refused} refuses connections",
        "Answer again, or are gone: kubia-1.kubia.default.svc.cluster.local",
    ]


async def test_many_peers_that_fail_at_once_are_few_lines_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with refusing() as refused:
        async with view_of({f"kubia-{ordinal}": refused for ordinal in range(1, 101)}) as view:
            await view.labels()
    assert len(caplog.records) == 11
    assert caplog.records[-1].message == "And 90 more peers fail"


async def test_a_failed_discovery_is_part_of_the_answer() -> None:
    async with peer(GOOD) as good, view_of({"kubia-1": good}) as view:
        await view.labels()
        view.names.script = rcode(dns.rcode.SERVFAIL)
        await view.answers()
        assert view.discovered is not None
        assert view.discovered.failure is not None
        assert await view.labels() == {"kubia-1": "Hey there!"}
