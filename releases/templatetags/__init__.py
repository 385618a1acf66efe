"""Filters of the release pages."""
