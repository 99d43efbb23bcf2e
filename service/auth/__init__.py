"""Authentication by API keys and OpenID Connect tokens."""
