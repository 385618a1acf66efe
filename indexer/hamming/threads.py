"""The process's threads for searches and builds; they share the processors."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache


def processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def pool() -> ThreadPoolExecutor:
    """The threads, one per processor."""
    return ThreadPoolExecutor(processors(), thread_name_prefix="hamming")
