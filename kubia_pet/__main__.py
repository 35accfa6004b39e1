"""The `kubia-pet` command, the same as `python -m kubia_pet`."""

import os
import signal


def main() -> None:
    """Runs the command; SIGTERM is handled from here on, before anything is imported that takes its time.

    The kernel drops a signal that process 1 does not handle: its pod would end only after the whole grace
    period. Nothing is open yet that would have to be closed, so the process just ends, as one told to.
    """
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    from kubia_pet.cli import main as command  # noqa: PLC0415 - it takes 0.1 s

    command()


if __name__ == "__main__":
    main()
