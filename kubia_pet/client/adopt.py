"""Has the pod on this machine take its volume as it is: for images without curl."""

import http.client
import json


def adopt(host: str, port: int, *, token: str | None, timeout: float) -> tuple[bool, str]:
    """Whether `POST /ledger/adopt` was answered 200, and a sentence. `token` is what the pod may ask for.

    `timeout`: seconds to connect, and to answer.
    """
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    where = f"The pod at {host} port {port}"
    headers = {"Connection": "close"} | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        connection.request("POST", "/ledger/adopt", headers=headers)
        response = connection.getresponse()
        said = response.read().decode(errors="replace").strip()
        if response.status != http.client.OK:
            return False, f"{where} answers {response.status}: {said}"
        found = json.loads(said)
        return True, f"Volume {found['volume']['id']} is that of {found['name'] or found['pod']} now."
    except OSError as error:
        return False, f"{where} does not answer: {error.strerror or error}."
    except (http.client.HTTPException, ValueError, KeyError, TypeError):
        return False, f"{where} answers something else than a pet does."
    finally:
        connection.close()
