"""Commands of the release role: build, publish, verify, keys."""
