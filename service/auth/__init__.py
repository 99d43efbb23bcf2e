"""Who may use the service: API keys and OpenID Connect tokens."""
