"""How long the tests last that have a long form: `make torture` sets KUBIA_PET_TORTURE."""

import os


def times(short: int, long: int) -> int:
    """`long` under `make torture`, else `short`."""
    return long if os.environ.get("KUBIA_PET_TORTURE") else short
