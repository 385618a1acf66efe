"""What `doctor` looks at in removal: secrets, the house, the search, the load, locks.

They are deployment checks with the tag "unlist": `doctor` and `check --deploy` run them, ordinary
commands do not, for `make_secrets` must run while secrets are missing, and `migrate` before there
are tables. (That of the rules asks for neither: every command runs it.) Importing this package
registers them all.
"""

from removal.checks import house, load, locks, rules, search, secrets

__all__ = ["house", "load", "locks", "rules", "search", "secrets"]
