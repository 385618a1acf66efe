"""`python -m unlist` is the same as the command `unlist`."""

from unlist.cli import main

main()
