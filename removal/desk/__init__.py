"""The maintainers' pages."""
