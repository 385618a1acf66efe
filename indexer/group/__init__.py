"""One index directory (a group): built once, opened for searching ever after."""
