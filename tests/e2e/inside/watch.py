"""Waits until DNS lists so many pods of a headless service, then until each of them lists all the others.

Prints as JSON how many seconds passed until DNS had them, and how many more until each list had.
"""

import http.client
import json
import sys
import time

import dns.exception
import dns.resolver

PATIENCE = 120.0  # seconds for either wait


def in_dns(service: str) -> dict[str, str]:
    """The targets of the service's SRV records, and the address of each."""
    try:
        answer = dns.resolver.resolve(f"_http._tcp.{service}", "SRV", search=True)
    except dns.exception.DNSException:
        return {}
    addresses = {str(each.name): each[0].address for each in answer.response.additional}
    return {str(record.target): addresses[str(record.target)] for record in answer}


def listed(address: str) -> int:
    """How many pods the one at this address lists with their data."""
    connection = http.client.HTTPConnection(address, 8080, timeout=5)
    try:
        connection.request("GET", "/")
        text = connection.getresponse().read().decode()
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
    return sum(line.startswith("- ") for line in text.splitlines())


def main(service: str, count: int) -> None:
    """Watches, and prints what it saw."""
    began = time.monotonic()
    while len(pods := in_dns(service)) != count and time.monotonic() - began < PATIENCE:
        time.sleep(0.1)
    known = time.monotonic()
    lists: dict[str, float] = {}
    while len(lists) < len(pods) and time.monotonic() - known < PATIENCE:
        for name, address in pods.items():
            if name not in lists and listed(address) == count:
                lists[name] = time.monotonic() - known
        time.sleep(0.05)
    print(json.dumps({"dns": known - began, "pods": len(pods), "lists": lists}))  # noqa: T201 - its result


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
