"""Operator commands of the catalog; ``docs/operators.md`` lists them."""
