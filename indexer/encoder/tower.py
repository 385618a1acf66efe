"""The image tower of an open_clip model, run where it is fastest on this machine.

On a CPU: one thread a batch, several batches at once. OpenMP's threads inside a batch wait for
each other by spinning: where another process wants the cores too, that ran ten times slower.
On a GPU: large batches in half precision, whose results agree with those of a CPU to about 1e-3.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import torch
from numpy.typing import NDArray
from open_clip.transform import PreprocessCfg
from PIL import Image
from timm.layers.norm_act import BatchNormAct2d
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from indexer.encoder.input import EncoderInput
from indexer.encoder.known import Known
from indexer.encoder.memory import keep_freed_memory
from indexer.machine import cores

_CPU_BATCH: Final = 8
_GPU_BATCH: Final = 256
# While one batch is computed, the next one is on its way to the device.
_GPU_THREADS: Final = 2


@dataclass(frozen=True, slots=True)
class Placement:
    """Where and how a model runs.

    Attributes:
        device: torch's.
        dtype: of weights and activations; results are float32 in any case.
        batch: pictures at once.
        threads: batches at once.
    """

    device: torch.device
    dtype: torch.dtype
    batch: int
    threads: int

    @classmethod
    def best(cls) -> Self:
        """On the GPU where there is one, else on all cores."""
        if torch.cuda.is_available():
            return cls(torch.device("cuda"), torch.float16, _GPU_BATCH, _GPU_THREADS)
        return cls(torch.device("cpu"), torch.float32, _CPU_BATCH, cores())


class OpenClipEncoder:
    """The image tower of an open_clip model. Fulfils `indexer.encoder.load.Encoder`."""

    def __init__(
        self,
        name: str,
        visual: nn.Module,
        known: Known,
        *,
        placement: Placement | None = None,
    ) -> None:
        """Take a model into service.

        Args:
            name: the encoder's.
            visual: the image tower.
            known: how its pictures are prepared.
            placement: where to run; None: where it is fastest.
        """
        at = placement or Placement.best()
        if at.device.type == "cpu":
            torch.set_num_threads(1)
            keep_freed_memory()
        self.name = name
        self.preprocessing = known.preprocessing
        self.input = known.input
        self._at = at
        self._pool = ThreadPoolExecutor(at.threads, thread_name_prefix="encoder")
        placed = visual.eval().to(at.device, at.dtype)
        self._visual = placed.to(memory_format=torch.channels_last)
        mean, std = np.array(known.mean), np.array(known.std)
        self._scale = self._line(1 / (255 * std))
        self._shift = self._line(-mean / std)
        self.dim = self.embed([Image.new("RGB", (64, 64))]).shape[1]

    def embed(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Embed RGB pictures: float32[n, dim], each row of Euclidean length 1."""
        if not images:
            return np.zeros((0, self.dim), np.float32)
        return self.embed_pixels(np.stack(list(self._pool.map(self.input.pixels, images))))

    def embed_pixels(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed pictures brought to `input`: uint8[n, side, side, 3] -> float32[n, dim]."""
        parts = list(self._pool.map(self._forward, self._batched(pixels)))
        return np.concatenate(parts) if parts else np.zeros((0, self.dim), np.float32)

    def _forward(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            whole = torch.from_numpy(pixels).to(self._at.device).to(self._at.dtype)
            # By lines of pixels, whose length lets the processor work on many at a time.
            whole.view(*whole.shape[:2], -1).mul_(self._scale).add_(self._shift)
            # Pixels lie side by side with their channels: in torch's words, channels last.
            features = self._visual(whole.permute(0, 3, 1, 2)).float()
            lengths = features.norm(dim=-1, keepdim=True).clamp_min(1e-12)
            vectors: NDArray[np.float32] = (features / lengths).cpu().numpy()
        return vectors

    def _batched(self, pixels: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
        """Batches of about equal size: threads that start together end together."""
        count = -(-len(pixels) // self._at.batch)
        return (part for part in np.array_split(pixels, count)) if count else iter(())

    def _line(self, values: NDArray[np.float64]) -> torch.Tensor:
        """A value for each channel, repeated for each pixel of a line."""
        line = torch.from_numpy(np.tile(values, self.input.side))
        return line.to(self._at.device, self._at.dtype)


def input_of(facts: PreprocessCfg) -> EncoderInput:
    """What preprocessing brings pictures to.

    Raises:
        ValueError: it is no square.
    """
    side = facts.size if isinstance(facts.size, int) else max(facts.size)
    if not isinstance(facts.size, int) and set(facts.size) != {side}:
        raise ValueError(f"an encoder's input of {facts.size} pixels is no square")
    return EncoderInput(side, facts.resize_mode, facts.interpolation, facts.fill_color)


def fold_norms(visual: nn.Module) -> nn.Module:
    """Fold each batch norm into the convolution before it: the same results with less work.

    Only for models whose modules stand in the order in which they are called, as timm's
    EfficientNets.
    """
    visual.eval()
    for parent in list(visual.modules()):
        before = ("", nn.Module())
        for name, child in list(parent.named_children()):
            if isinstance(child, BatchNormAct2d) and isinstance(before[1], nn.Conv2d):
                setattr(parent, before[0], fuse_conv_bn_eval(before[1], child))
                setattr(parent, name, child.act)
            before = (name, child)
    return visual
