"""Decisions become blocklist releases: ledger, build, signing, publication, proofs."""
