"""Asks the pod on this machine, for images without curl: whether it lives, and to take its volume as it is."""

import http.client
import json


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


def adopt(host: str, port: int, timeout: float, token: str | None = None) -> tuple[bool, str]:
    """Asks for `POST /ledger/adopt`: whether that was done, and a sentence. `token` is what the pod asks for."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    where = f"The pod at {host} port {port}"
    headers = {"Connection": "close"} | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        connection.request("POST", "/ledger/adopt", headers=headers)
        response = connection.getresponse()
        body = response.read().decode(errors="replace").strip()
        if response.status != http.client.OK:
            return False, f"{where} answers {response.status}: {body}"
        found = json.loads(body)
        return True, f"Volume {found['volume']['id']} is {found['name'] or found['pod']}'s now."
    except OSError as error:
        return False, f"{where} does not answer: {error.strerror or error}."
    except (http.client.HTTPException, ValueError, KeyError, TypeError):
        return False, f"{where} answers something else than a pet does."
    finally:
        connection.close()
