"""Which addresses are this machine's own. Knows no setting."""

import ipaddress

__all__ = ["LOOPBACK_NAME", "is_loopback"]

LOOPBACK_NAME = "localhost"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens on ``host``."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == LOOPBACK_NAME
