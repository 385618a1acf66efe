"""How a request is matched: fingerprints, groups, verification, conclusion."""
