"""What a photo is searched by: its fingerprint, and the parts of it that are searched alone."""
