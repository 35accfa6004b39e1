"""The values in a pod's answer to `GET /`."""

import base64
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from kubia_pet.client.errors import RefusedError


def values(overview: Mapping[str, Any]) -> dict[str, bytes | None]:
    """The exact values by host name, None where a peer has none; who gave an error instead is left out.

    Raises RefusedError where that is no kubia-pet's answer.
    """
    try:
        return {
            str(peer["name"]).partition(".")[0]: _bytes(peer["value"], peer.get("encoding"))
            for peer in overview["peers"]
            if "error" not in peer
        }
    except (AttributeError, KeyError, TypeError, ValueError):
        raise RefusedError(HTTPStatus.OK, "that is no kubia-pet's answer") from None


def _bytes(value: str | None, encoding: str | None) -> bytes | None:
    if value is None:
        return None
    return base64.b64decode(value) if encoding == "base64" else value.encode()
