"""A small dataset in true img2dataset form, the same to the byte on every machine of one kind."""
