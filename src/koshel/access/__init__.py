"""Who sends a request: API keys, and JWTs of an identity provider."""
