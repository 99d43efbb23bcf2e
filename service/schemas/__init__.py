"""The bodies of responses."""
