"""What a batch's URLs are worth: counted, never changed.

A URL is an identity before it is an address: one that no browser could open still names its row in
the dataset, so it is kept as it is stored.  Parsing is WHATWG's (https://url.spec.whatwg.org), by
Ada; a pattern that only sound http addresses fit spares nearly all of them the parsing.
"""

from collections import Counter
from typing import Any, Final

import can_ada
import pyarrow as pa

from shards.arrow import pc

# A last label of letters is no IPv4 number, labels beginning with xn-- need decoding, and a port
# of at most four digits is in range.
_SOUND: Final = (
    r"^https?://(?:(?:[0-9a-wyzA-WYZ][0-9A-Za-z-]*|[xX][0-9a-mo-zA-MO-Z][0-9A-Za-z-]*)\.)+"
    r"[a-zA-Z]{2,20}(?::[0-9]{1,4})?(?:[/?#]|$)"
)


def urls_note(urls: "pa.Array[Any]", refused: Counter[str], *, malformed: int = 0) -> None:
    """Count the URLs that are missing, that no parser takes, and that are not of the web.

    Of those that are null, ``malformed`` were given, as bytes that are no text.
    """
    nulls = {"url_malformed": malformed, "url_missing": urls.null_count - malformed}
    refused.update({code: count for code, count in nulls.items() if count})
    given = urls.drop_null()
    doubtful = given.filter(pc.invert(pc.match_substring_regex(given, _SOUND)))
    for url in doubtful.to_pylist():
        if code := _fault(str(url)):
            refused[code] += 1


def _fault(url: str) -> str | None:
    try:
        scheme = can_ada.parse(url).protocol
    except ValueError:
        return "url_unparseable"
    return None if scheme in ("http:", "https:") else "url_not_http"
