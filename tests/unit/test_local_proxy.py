"""The local set's public port while its pods leave."""

import asyncio
from typing import Any

from kubia_pet.local.proxy import PublicService
from tests.support.local_set import free_ports

HOST = "127.0.0.1"


class Leaving(dict[str, tuple[str, int]]):
    """Pods that leave as one of them is about to be connected to."""

    def values(self) -> Any:
        left = list(super().values())
        self.clear()
        return left


async def test_a_connection_ends_where_the_last_pods_leave_as_it_is_made() -> None:
    errors: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, error: errors.append(error))
    port, nobody = free_ports(2), free_ports(2)
    endpoints = Leaving({"kubia-0": (HOST, nobody), "kubia-1": (HOST, nobody + 1)})
    async with PublicService(endpoints, HOST, port), asyncio.timeout(5):
        reader, writer = await asyncio.open_connection(HOST, port)
        assert await reader.read() == b""
        writer.close()
    assert errors == []
