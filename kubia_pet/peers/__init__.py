"""Peers: asked over kept connections, all at once."""
