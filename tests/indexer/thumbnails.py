"""A second, simple encoder: no weights, no torch, no time."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from indexer.encoder.input import EncoderInput

_SIDE: Final = 8


class ThumbnailEncoder:
    """Encodes a picture as its 8 x 8 thumbnail, less its mean.

    It finds resized and recompressed copies, as the real ones do, and little else.
    """

    def __init__(self, name: str = "thumbnail/8") -> None:
        self.name = name
        self.preprocessing = f"{_SIDE} x {_SIDE} box, less the mean"
        self.dim = _SIDE * _SIDE * 3
        self.input = EncoderInput(_SIDE, "squash", "box")

    def embed(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Embed RGB pictures: float32[n, dim], each row of Euclidean length 1."""
        small = [self.input.pixels(image) for image in images]
        return self.embed_pixels(np.array(small, np.uint8).reshape(-1, _SIDE, _SIDE, 3))

    def embed_pixels(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed pictures brought to `input`: uint8[n, 8, 8, 3] -> float32[n, dim]."""
        vectors = pixels.reshape(-1, self.dim).astype(np.float32)
        vectors -= vectors.mean(axis=1, keepdims=True)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: NDArray[np.float32] = (vectors / np.maximum(lengths, 1e-9)).astype(np.float32)
        return unit
