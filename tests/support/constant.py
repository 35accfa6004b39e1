"""The least that a server in this language can do: it answers everything with the same bytes."""

import asyncio


class Constant(asyncio.Protocol):
    """Reads nothing of its requests, which must have no body, but where each ends."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as documented
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(self.answer * data.count(b"\r\n\r\n"))
