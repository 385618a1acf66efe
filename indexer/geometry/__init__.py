"""Geometric verification: does a stored picture lie in the query, and how well do they agree?

`verify` is the way in.
"""
