"""Operator commands of the removal app."""
