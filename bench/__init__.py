"""How fast it is: each figure against a baseline from the same run."""

import sys

if sys.platform != "linux":
    raise ImportError("The bench runs on Linux: it pins processes to cores and reads /proc.")
