"""Dataset rows become all that an index is built from: digests, hashes, embeddings."""
