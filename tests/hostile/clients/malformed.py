"""Requests that RFC 9112 forbids: a corpus of smuggling cases, and as many more as one likes."""

import random
from collections.abc import Callable

CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


def _post(*lines: bytes, body: bytes = b"abc", version: bytes = b"1.1") -> bytes:
    return b"\r\n".join((b"POST / HTTP/" + version, b"Host: a", *lines)) + b"\r\n\r\n" + body


def _get(*lines: bytes, target: bytes = b"/data", version: bytes = b"HTTP/1.1") -> bytes:
    return b"\r\n".join((b"GET " + target + b" " + version, b"Host: a", *lines)) + b"\r\n\r\n"


_LENGTH, _CODING = b"Content-Length: 3", b"Transfer-Encoding: chunked"
_WHOLE = b"3\r\nabc\r\n0\r\n\r\n"

SMUGGLING: dict[str, bytes] = {
    "a length and a coding": _post(_LENGTH, _CODING, body=_WHOLE),
    "a coding and a length": _post(_CODING, _LENGTH, body=_WHOLE),
    "two lengths": _post(_LENGTH, b"Content-Length: 4"),
    "the same length twice": _post(_LENGTH, _LENGTH),
    "a list of lengths": _post(b"Content-Length: 3, 3"),
    "a signed length": _post(b"Content-Length: +3"),
    "a negative length": _post(b"Content-Length: -1"),
    "a hexadecimal length": _post(b"Content-Length: 0x3"),
    "a length with an underscore": _post(b"Content-Length: 0_3"),
    "a length with a space": _post(b"Content-Length: 3 4"),
    "an empty length": _post(b"Content-Length:"),
    "a length over 64 bits": _post(b"Content-Length: 18446744073709551616"),
    "identity": _post(b"Transfer-Encoding: identity"),
    "a coding nobody knows": _post(b"Transfer-Encoding: xchunked", body=_WHOLE),
    "an empty coding": _post(b"Transfer-Encoding:", body=b""),
    "a list that begins empty": _post(b"Transfer-Encoding: , chunked", body=_WHOLE),
    "a coding in quotes": _post(b'Transfer-Encoding: "chunked"', body=_WHOLE),
    "a coding after a vertical tab": _post(b"Transfer-Encoding: \x0bchunked", body=_WHOLE),
    "two codings": _post(b"Transfer-Encoding: gzip, chunked", body=_WHOLE),
    "chunked not last": _post(b"Transfer-Encoding: chunked, gzip", body=_WHOLE),
    "chunked twice": _post(b"Transfer-Encoding: chunked, chunked", body=_WHOLE),
    "chunked, then identity": _post(_CODING, b"Transfer-Encoding: identity", body=_WHOLE),
    "a space before the colon": _post(b"Transfer-Encoding : chunked", body=_WHOLE),
    "chunks in HTTP/1.0": _post(_CODING, body=_WHOLE, version=b"1.0"),
    "chunks in HTTP/1.0, kept alive": _post(b"Connection: keep-alive", _CODING, body=_WHOLE, version=b"1.0"),
    "two hosts": _get(b"Host: b"),
    "the same host twice": _get(b"Host: a"),
    "no host": b"GET /data HTTP/1.1\r\n\r\n",
    "a host with a space": b"GET /data HTTP/1.1\r\nHost: a b\r\n\r\n",
    "a host with a path": b"GET /data HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "a host with a user": b"GET /data HTTP/1.1\r\nHost: a@b\r\n\r\n",
    "bare line feeds": b"GET /data HTTP/1.1\nHost: a\n\n",
    "a bare line feed in a header": b"GET /data HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
    "a bare line feed at the end": b"GET /data HTTP/1.1\r\nHost: a\r\n\n",
    "a bare carriage return": _get(b"X: a\rb"),
    "a zero byte": _get(b"X: a\0b"),
    "a folded header": _get(b"X: a\r\n b"),
    "a folded first header": b"GET /data HTTP/1.1\r\n X: a\r\nHost: a\r\n\r\n",
    "a header without a colon": _get(b"foo"),
    "a header without a name": _get(b": foo"),
    "a name with a bracket": _get(b"f(o: b"),
    "a huge header": _get(b"X: " + b"a" * 9000),
    "a huge target": _get(target=b"/" + b"a" * 9000),
    "many headers": _get(*[b"X: a"] * 200),
    "letters for a chunk's size": CHUNKED + b"zz\r\nabc\r\n0\r\n\r\n",
    "0x for a chunk's size": CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n",
    "a negative chunk": CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n",
    "a chunk over 64 bits": CHUNKED + b"10000000000000003\r\nabc\r\n0\r\n\r\n",
    "chunks with bare line feeds": CHUNKED + b"3\nabc\n0\n\n",
    "a bare line feed after a chunk": CHUNKED + b"3\r\nabc\n0\r\n\r\n",
    "a bare line feed in an extension": CHUNKED + b"3;a\nx\r\nabc\r\n0\r\n\r\n",
    "a space after a chunk's size": CHUNKED + b"3 \r\nabc\r\n0\r\n\r\n",
    "a chunk that is longer than it says": CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n",
    "a trailer without a colon": CHUNKED + b"3\r\nabc\r\n0\r\nX y\r\n\r\n",
    "a length in the trailer": CHUNKED + b"3\r\nabc\r\n0\r\nContent-Length: 5\r\n\r\n",
    "endless trailers": CHUNKED + b"3\r\nabc\r\n0\r\n" + b"X: y\r\n" * 10_000 + b"\r\n",
    "HTTP/0.9": b"GET /data\r\n\r\n",
    "HTTP/1.2": _get(version=b"HTTP/1.2"),
    "HTTP/2.0": _get(version=b"HTTP/2.0"),
    "HTTP/1.10": _get(version=b"HTTP/1.10"),
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a method in lower case": b"get /data HTTP/1.1\r\nHost: a\r\n\r\n",
    "tabs for spaces": b"GET\t/data\tHTTP/1.1\r\nHost: a\r\n\r\n",
    "a space before the method": b" GET /data HTTP/1.1\r\nHost: a\r\n\r\n",
    "a target without a slash": _get(target=b"data"),
    "a target that is not ASCII": _get(target=b"/\xff\xfe"),
    "a port too large": _get(target=b"http://a:99999999/data"),
    "half an IPv6 address": _get(target=b"http://[/data"),
    "an expectation that is no text": _get(b"Expect: \x80"),
    "TLS": bytes.fromhex("16030100c8010000c40303") + bytes(100),
}


def one_more(random: random.Random) -> bytes:
    """A malformed request, whatever the numbers are."""
    return random.choice(_FAMILIES)(random)


def _noise(random: random.Random, alphabet: bytes, most: int = 40) -> bytes:
    return bytes(random.choices(alphabet, k=random.randint(1, most)))


_CONTROLS = bytes(each for each in range(32) if each not in b"\t\r\n") + b"\x7f"
_LETTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DIGITS = b"0123456789"
_FAMILIES: list[Callable[[random.Random], bytes]] = [
    lambda r: bytes([r.choice(_CONTROLS)]) + r.randbytes(r.randint(1, 2000)) + b"\r\n\r\n",
    lambda r: _noise(r, _LETTERS.lower()) + b" / HTTP/1.1\r\nHost: a\r\n\r\n",
    lambda r: _get(target=b"/" + _noise(r, _CONTROLS)),
    lambda r: _get(version=b"HTTP/" + _noise(r, b"3456789", 1) + b"." + _noise(r, _DIGITS, 1)),
    lambda r: _get(version=_noise(r, _LETTERS.replace(b"H", b""))),
    lambda r: _get(b"X: " + _noise(r, _LETTERS) + bytes([r.choice(_CONTROLS)]) + _noise(r, _LETTERS)),
    lambda r: _get(b"X" + bytes([r.choice(b'(),/;<=>?@[\\]{}" ')]) + _noise(r, _LETTERS) + b": a"),
    lambda r: _get(b"X: " + _noise(r, _LETTERS) + b"\n" + _noise(r, _LETTERS) + b": b"),
    lambda r: _get(b"X: " + b"a" * r.randint(8200, 100_000)),
    lambda r: _get(*[b"X: a"] * r.randint(130, 1000)),
    lambda r: _get(b"Host: " + _noise(r, _LETTERS)),
    lambda r: _post(b"Content-Length: " + _noise(r, _DIGITS) + _noise(r, b"+-_,.;xe") + _noise(r, _DIGITS)),
    lambda r: _post(b"Content-Length: " + _noise(r, _DIGITS, 3), b"Content-Length: " + _noise(r, _DIGITS, 3)),
    lambda r: _post(b"Content-Length: 1" + _noise(r, _DIGITS, 3), _CODING, body=_WHOLE),
    lambda r: _post(b"Transfer-Encoding: x" + _noise(r, _LETTERS), body=_WHOLE),
    lambda r: CHUNKED + _noise(r, b"ghijxyz+-_;. ", 8) + b"\r\nabc\r\n0\r\n\r\n",
    lambda r: CHUNKED + b"1" + _noise(r, b"0123456789abcdef", 1) * 17 + b"\r\n" + r.randbytes(100),
    lambda r: (
        CHUNKED + b"4\r\n" + _noise(r, _LETTERS, 4).ljust(4, b".") + _noise(r, _LETTERS) + b"\r\n0\r\n\r\n"
    ),
    lambda r: CHUNKED + b"0\r\n" + _noise(r, _LETTERS) + b"\r\n\r\n",
]
