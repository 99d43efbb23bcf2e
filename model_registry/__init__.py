"""The folder both sides share: the trainer publishes bundles into it, the service loads them from it."""
