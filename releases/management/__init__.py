"""Holds the operator's commands."""
