"""Tools for asyncio that know nothing of pets."""
