"""Why a picture is not taken, in the reader's language.

The library that refuses knows no language: its sentences stand here once more, marked for
translation, and a test holds the two in step.
"""

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

PICTURE_REFUSALS: Final[dict[str, str | Promise]] = {
    "empty": _("The file is empty. Choose the picture again."),
    "too_many_bytes": _("The file is larger than 20 MB. Save the picture smaller and try again."),
    "unknown_format": _("This is not a picture of a format we read. Send JPEG, PNG, WebP or GIF."),
    "too_many_pixels": _("The picture has more than 40 megapixels. Scale it down and try again."),
    "too_small": _("The picture is too small: each side needs at least 8 pixels."),
    "too_many_scans": _("The picture is stored in an unusual way. Save it again as JPEG or PNG."),
    "too_costly": _(
        "The picture takes too long to read. Save it again as JPEG or PNG and try again."
    ),
    "too_costly_together": _(
        "These pictures take too long to read together. Send this one again in a request of its "
        "own."
    ),
    "too_plain": _(
        "There is too little in the picture to recognize it by. Send one that shows more."
    ),
    "broken": _("The picture is damaged or incomplete. Open it, save it again and send that copy."),
}
