"""English on pages that people all over the world read: no month first."""

DATE_FORMAT = "j F Y"
DATETIME_FORMAT = "j F Y, H:i"
TIME_FORMAT = "H:i"
THOUSAND_SEPARATOR = "\N{NARROW NO-BREAK SPACE}"
