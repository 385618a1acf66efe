"""Tests of `shards`."""
