"""Let the C library keep freed memory for the next picture instead of handing it back.

A picture's pixels and a network's activations are megabytes that live for milliseconds. By default
glibc maps such blocks anew from the kernel each time, and the page faults cost as much as decoding
the picture. What is kept is bounded: `_TRIM` bytes at the top of the heap.
"""

import ctypes
from typing import Final

_MIB: Final = 1024 * 1024
# The numbers of `mallopt`'s parameters, from glibc's <malloc.h>.
_M_TRIM_THRESHOLD: Final = -1
_M_TOP_PAD: Final = -2
_M_MMAP_THRESHOLD: Final = -3
_TRIM: Final = 256 * _MIB
_SETTINGS: Final = (
    (_M_MMAP_THRESHOLD, 32 * _MIB),  # the largest that glibc takes
    (_M_TRIM_THRESHOLD, _TRIM),
    (_M_TOP_PAD, 16 * _MIB),
)


def keep_freed_memory() -> bool:
    """Ask for it, for this process; False where the C library has no such setting."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    taken = [] if mallopt is None else [bool(mallopt(*setting)) for setting in _SETTINGS]
    return bool(taken) and all(taken)
