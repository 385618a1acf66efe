#!/usr/bin/env python
"""Run the operator's commands: `python manage.py help` lists them."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import DEFAULT_DB_ALIAS, OperationalError, ProgrammingError, connections
from django.db.migrations.executor import MigrationExecutor


def main() -> None:
    """Run the command that the arguments name.

    What an operator can mend without knowing the code is told in a sentence, not by a traceback.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as fault:
        sys.exit(f"{fault}")
    except (OperationalError, ProgrammingError):
        if sentence := _database_fault():
            sys.exit(sentence)
        raise


def _database_fault() -> str | None:
    """Say what keeps the database from being used; None where the fault is a command's own."""
    try:
        executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
    except OperationalError as error:
        reason = str(error).partition("\n")[0]
        return f"The database cannot be reached ({reason}): start it, or correct DATABASE_URL."
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return "The database lacks tables of this version: run `python manage.py migrate` first."
    return None


if __name__ == "__main__":
    main()
