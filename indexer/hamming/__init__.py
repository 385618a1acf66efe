"""Exact search within a Hamming radius, for codes of 64 and 256 bits."""
