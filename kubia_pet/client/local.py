"""Asks the pod on this machine: for images without curl, and with nothing to import that takes its time.

A health check runs every few seconds in every container.
"""

import http.client
import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path


class _NoAnswerError(Exception):
    """The text is a sentence."""


def health(host: str, port: int, *, timeout: float) -> tuple[bool, str]:
    """Whether `/healthz` answers 200, and a sentence. `timeout`: seconds to connect, and to answer."""
    try:
        status, _ = _ask("GET", "/healthz", (host, port), timeout)
    except _NoAnswerError as error:
        return False, str(error)
    where = f"The pod at {host} port {port}"
    return (True, f"{where} is alive.") if status == http.client.OK else (False, f"{where} answers {status}.")


def adopt(host: str, port: int, *, token: str | None, timeout: float) -> tuple[bool, str]:
    """Whether `POST /ledger/adopt` was answered 200, and a sentence. `token` is what the pod may ask for."""
    shown = {"Authorization": f"Bearer {token}".encode()} if token else {}
    where = f"The pod at {host} port {port}"
    try:
        status, said = _ask("POST", "/ledger/adopt", (host, port), timeout, shown)
        if status != http.client.OK:
            return False, f"{where} answers {status}: {said}"
        found = json.loads(said)
        return True, f"Volume {found['volume']['id']} is that of {found['name'] or found['pod']} now."
    except _NoAnswerError as error:
        return False, str(error)
    except (ValueError, KeyError, TypeError):
        return False, f"{where} answers something else than a pet does."


def _ask(
    method: str,
    path: str,
    place: tuple[str, int],
    timeout: float,
    headers: Mapping[str, bytes] | None = None,
) -> tuple[int, str]:
    """The status and the body. Raises _NoAnswerError."""
    connection = http.client.HTTPConnection(*place, timeout=timeout)
    try:
        connection.request(method, path, headers={"Connection": "close", **(headers or {})})
        response = connection.getresponse()
        return response.status, response.read().decode(errors="replace").strip()
    except OSError as error:
        reason = f"does not answer: {error.strerror or error}"
    except http.client.HTTPException:
        reason = "answers something that is not HTTP"
    finally:
        connection.close()
    host, port = place
    raise _NoAnswerError(f"The pod at {host} port {port} {reason}.")


def words_of_process_1(program: str, command: str) -> list[str]:
    """What follows `program command` in the command line of process 1: a container's own, or its init.

    Nothing where that is another program, or cannot be seen.
    """
    try:
        words = Path("/proc/1/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return []
    names = [Path(word).name for word in words]
    pairs = list(pairwise(names))
    return words[pairs.index((program, command)) + 2 :] if (program, command) in pairs else []
