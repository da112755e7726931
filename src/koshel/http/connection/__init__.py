"""A connection: the express lane, or aiohttp."""
