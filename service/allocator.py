"""How the C library keeps the memory that is freed. Knows nothing of what it is used for."""

import ctypes

__all__ = ["keep_freed_memory"]

# glibc, malloc.h; mallopt(3).
_TRIM_THRESHOLD = -1
_MMAP_THRESHOLD = -3

_LARGEST_KEPT_BYTES = 32 * 2**20  # the most that glibc takes as a threshold for mapping
_KEPT_BYTES = 64 * 2**20  # at the end of the heap


def keep_freed_memory() -> bool:
    """Let the next page use the memory of the one before, and say whether the C library can be told so.

    A page takes some 4 MB and gives them back. glibc returns them to the kernel each time, depending on which thread
    it was; a thousand page faults, 2 to 3 ms of a page's 28, bring them back. Elsewhere (musl) nothing is changed.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _LARGEST_KEPT_BYTES) and mallopt(_TRIM_THRESHOLD, _KEPT_BYTES))
