"""What removal tells the layers above, which it may not import.

`rows_approved` is sent inside the transaction of a decision, so that a receiver that fails takes
the decision back with it. Arguments: `rows: list[selectors.ApprovedRow]`, `tier: str`,
`on: datetime.date`. It names no request: what is built from it refers to none.

`case_ending` is sent before the case of a closed request is destroyed, outside any transaction:
the last moment to make from its rows what is to outlive them. Argument: `request_id: UUID`.
"""

from django.dispatch import Signal

rows_approved = Signal()
case_ending = Signal()
