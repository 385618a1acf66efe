"""Which datasets are covered, how their indexes stand, and the one way to search them.

``models``, ``selectors``, ``pictures`` and ``admin`` serve web processes and import neither torch
nor faiss; ``search``, ``indexing`` and what uses them run in workers and operator commands.
"""
