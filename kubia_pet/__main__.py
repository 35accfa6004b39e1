"""The `kubia-pet` command, the same as `python -m kubia_pet`."""

import os
import signal
import sys


def main() -> None:
    """Runs the command; SIGTERM is handled from here on, before anything is imported that takes its time.

    The kernel drops a signal that process 1 does not handle: its pod would end only after the whole grace
    period. Nothing is open yet that would have to be closed, so the process just ends, as one told to; that
    is no verdict of `check` or `probe`, though.
    """
    status = 128 + signal.SIGTERM if sys.argv[1:2] in (["check"], ["probe"]) else 0
    signal.signal(signal.SIGTERM, lambda *_: os._exit(status))
    from kubia_pet.cli import main as command  # noqa: PLC0415 - it takes 0.1 s

    command()


if __name__ == "__main__":
    main()
