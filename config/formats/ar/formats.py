"""Arabic as CLDR writes it with Western digits; Django's own has the separators of German."""

DATETIME_FORMAT = "j F، Y، H:i"
TIME_FORMAT = "H:i"
DECIMAL_SEPARATOR = "."
THOUSAND_SEPARATOR = ","
NUMBER_GROUPING = 3
