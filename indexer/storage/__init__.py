"""How an index lies on disk: which files, written how, mapped how, checked by what."""
