"""How fast the pet is, each figure as a ratio to a baseline from the same run: `python -m bench`."""
