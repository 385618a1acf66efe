"""Exact look-up: row keys of URLs and digests -> rows."""
