"""Nearest embeddings by cosine, over half-precision vectors that stay on disk."""
