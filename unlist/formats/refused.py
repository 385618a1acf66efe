"""The one name under which every refusal of a dataset can be caught."""


class DatasetRefused(ValueError):
    """A dataset cannot be used as asked; the message says what is wrong and what mends it."""
