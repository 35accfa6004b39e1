"""Asks pods from outside, over HTTP."""
