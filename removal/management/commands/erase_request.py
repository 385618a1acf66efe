"""`manage.py erase_request`: the subject's own wish, by hand."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from removal.custody.receipts import ReceiptMistyped
from removal.custody.secrets import SecretUnavailable
from removal.life.destroying import RequestHeld, request_erase
from removal.selectors import ReceiptUnknown, request_open


class Command(BaseCommand):
    help = (
        "Erase every trace of a request. The receipt is read from standard input, so that it "
        "stands in no shell history. Rows that were approved stay on the lists, which name nobody."
    )

    def handle(self, *_args: Any, **_options: Any) -> None:
        if sys.stdin.isatty():
            self.stderr.write("Type the receipt and press Enter:")
        try:
            opened = request_open(receipt=sys.stdin.readline())
        except (ReceiptMistyped, ReceiptUnknown, SecretUnavailable) as error:
            raise CommandError(str(error)) from None
        try:
            request_erase(opened.request_id)
        except RequestHeld as held:
            raise CommandError(str(held)) from None
        self.stdout.write("The request is erased: its keys first, then all it held.")
