"""Asks the pod on this machine whether it lives: a health check for images without curl."""

import http.client
from itertools import pairwise
from pathlib import Path


def ask(host: str, port: int, timeout: float) -> tuple[bool, str]:
    """Whether `/healthz` answers 200, and a sentence. `timeout`: seconds to connect, and to answer."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    where = f"The pod at {host} port {port}"
    try:
        connection.request("GET", "/healthz", headers={"Connection": "close"})
        status = connection.getresponse().status
    except OSError as error:
        return False, f"{where} does not answer: {error.strerror or error}."
    except http.client.HTTPException:
        return False, f"{where} answers something that is not HTTP."
    finally:
        connection.close()
    if status != http.client.OK:
        return False, f"{where} answers {status}."
    return True, f"{where} is alive."


def words_of_process_1(program: str, command: str) -> list[str]:
    """What follows `program command` in the command line of process 1: a container's own, or its init.

    None where that is another program, or cannot be seen.
    """
    try:
        words = Path("/proc/1/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return []
    names = [Path(word).name for word in words]
    pairs = list(pairwise(names))
    return words[pairs.index((program, command)) + 2 :] if (program, command) in pairs else []
