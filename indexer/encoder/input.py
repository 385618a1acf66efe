"""How a picture is brought to an encoder's input: plain facts, and the work itself without torch.

Query and index go the same way, so that a picture and its copy differ by what was done to the
copy alone. Processes that prepare pictures need this module, not the encoder.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Fit = Literal["shortest", "longest", "squash"]
_FILTERS = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "box": Image.Resampling.BOX,
}


@dataclass(frozen=True, slots=True)
class EncoderInput:
    """An encoder's input: a square of `side` pixels.

    Attributes:
        side: in pixels.
        fit: `shortest`: the shorter side fills the square and the longer one is cut at both ends;
            `longest`: the longer side fills it and the rest is `fill`; `squash`: both are
            brought to the side.
        resampling: `bicubic`, `bilinear` or `box`, always with the support that averages all
            pixels when scaling down.
        fill: grey level, 0..255, around a picture fitted by its longest side.
    """

    side: int
    fit: Fit = "shortest"
    resampling: str = "bicubic"
    fill: int = 0

    def pixels(self, image: Image.Image) -> NDArray[np.uint8]:
        """Bring an RGB picture to the input: uint8[side, side, 3]."""
        if self.fit == "squash":
            fitted = image.resize((self.side, self.side), _FILTERS[self.resampling])
        elif self.fit == "shortest":
            fitted = self._centered(self._scaled(image, min(image.size)))
        else:
            fitted = self._centered(self._scaled(image, max(image.size)))
        return np.asarray(fitted)

    def _scaled(self, image: Image.Image, reference: int) -> Image.Image:
        if self.fit == "shortest":
            size = [max(self.side, int(self.side * length / reference)) for length in image.size]
        else:
            size = [max(1, round(length * self.side / reference)) for length in image.size]
        return image.resize((size[0], size[1]), _FILTERS[self.resampling])

    def _centered(self, image: Image.Image) -> Image.Image:
        if image.size == (self.side, self.side):
            return image
        left, top = (round((length - self.side) / 2) for length in image.size)
        if self.fit == "shortest":
            return image.crop((left, top, left + self.side, top + self.side))
        canvas = Image.new("RGB", (self.side, self.side), (self.fill,) * 3)
        canvas.paste(image, ((self.side - image.width) // 2, (self.side - image.height) // 2))
        return canvas
