"""What `doctor` looks at in removal: secrets, the house, the search, the load, locks.

They are deployment checks with the tag "unlist": `doctor` and `check --deploy` run them, ordinary
commands do not, for `make_secrets` must run while secrets are missing, and `migrate` before there
are tables. Importing this package registers them all.
"""

from removal.checks import house, load, locks, search, secrets

__all__ = ["house", "load", "locks", "search", "secrets"]
