"""What the catalog asks the layers above, which it may not import.

`dataset_leaving` is sent before a dataset is taken out, inside that transaction. Argument:
`dataset`. A receiver that objects returns a sentence that says why and when that ends; one that
does not returns None.
"""

from django.dispatch import Signal

dataset_leaving = Signal()
