"""The HTTP API under /api/v1/: the same writers and readers as the pages, for programs."""
