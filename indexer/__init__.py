"""Image -> fingerprint -> index -> matches.

A library: it knows neither Django nor Celery. Importing this package, or `indexer.decode`,
brings in neither torch nor faiss, imagehash or pdqhash, so that the web process can decode
pictures without them; the other modules import what they need.
"""

from typing import Final

DEFAULT_ENCODER: Final = "efficientnet-lite0/imagenet"

# Within these distances, in bits, an index search finds every row. 31 is what PDQ's authors
# advise for a match. pHash is too short to prove anything alone; so near it is worth measuring.
PDQ_RADIUS: Final = 31
PHASH_RADIUS: Final = 8
