"""Tests of the image; they need a Docker engine, and nothing else of the machine."""
