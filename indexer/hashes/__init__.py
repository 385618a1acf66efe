"""Perceptual hashes: PDQ (256 bits) and pHash (64 bits)."""
