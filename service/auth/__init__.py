"""Authentication: API keys and OpenID Connect."""
