"""What is known of an encoder before its weights are read, told without loading torch.

To index published embeddings takes no encoder, only what its index records: so that such a run
fits in a small machine's memory, torch and open_clip are asked in a process of their own, which
then ends.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from indexer import DEFAULT_ENCODER
from indexer.encoder.input import EncoderInput
from indexer.storage.manifest import EncoderFacts

CONFIGS: Final = Path(__file__).parents[1] / "configs"
LITE0: Final = "efficientnet-lite0"
# What the weights were trained with; open_clip would give a config of ours CLIP's.
_IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
_IMAGENET_STD: Final = (0.229, 0.224, 0.225)
_ROOT: Final = Path(__file__).resolve().parents[2]
_REFUSED: Final = 3


class EncoderUnavailable(RuntimeError):
    """No such encoder, or its weights cannot be had here."""


class NoTextTower(EncoderUnavailable):
    """An encoder that was trained on pictures alone, so that no words lie near any picture."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The encoder {name} reads pictures and no words: start from an example, or index by "
            "an encoder that was trained on both, such as ViT-L-14/openai."
        )


class TokenizerUnavailable(EncoderUnavailable):
    """An encoder reads words, but what makes tokens of them cannot be had here."""


def reads_text(name: str) -> bool:
    """Tell by its name whether an encoder embeds words too: all of open_clip's own do."""
    return name != DEFAULT_ENCODER


@dataclass(frozen=True, slots=True)
class Known:
    """An encoder without its weights.

    Attributes:
        model, tag: as open_clip has them.
        dim: length of the vectors.
        input: what pictures are brought to.
        mean, std: of the levels of each channel, as parts of the full range.
        pooling: in words.
    """

    model: str
    tag: str
    dim: int
    input: EncoderInput
    mean: tuple[float, ...]
    std: tuple[float, ...]
    pooling: str = "the model's own"

    @property
    def preprocessing(self) -> str:
        """In words, as indexes record it."""
        form = self.input
        return (
            f"resize {form.side} {form.fit} {form.resampling}, "
            f"mean {list(self.mean)}, std {list(self.std)}, pooling {self.pooling}"
        )

    def to_json(self) -> str:
        """As text, for `from_json`."""
        plain = {name: getattr(self, name) for name in self.__slots__ if name != "input"}
        form = {name: getattr(self.input, name) for name in self.input.__slots__}
        return json.dumps({**plain, "input": form})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote."""
        facts = json.loads(text)
        facts |= {name: tuple(facts[name]) for name in ("mean", "std")}
        return cls(**{**facts, "input": EncoderInput(**facts["input"])})


@cache
def known_encoder(name: str) -> Known:
    """What is known of an encoder.

    Raises:
        EncoderUnavailable: there is none of that name.
    """
    if name == DEFAULT_ENCODER:
        return _lite0()
    if "open_clip" in sys.modules:
        from indexer.encoder.load import ask_open_clip  # noqa: PLC0415  # torch, which is there already

        return ask_open_clip(name)
    return _asked_apart(name)


def encoder_facts(name: str = DEFAULT_ENCODER) -> EncoderFacts:
    """What an index of an encoder's vectors records.

    Raises:
        EncoderUnavailable: there is none of that name.
    """
    known = known_encoder(name)
    return EncoderFacts(name, known.preprocessing, known.dim)


class DeferredEncoder:
    """Fulfils `indexer.encoder.load.Encoder`, and is loaded when the first picture comes."""

    def __init__(self, name: str) -> None:
        """Look the name up.

        Raises:
            EncoderUnavailable: there is none of that name.
        """
        known = known_encoder(name)
        self.name = name
        self.preprocessing = known.preprocessing
        self.dim = known.dim
        self.input = known.input

    def embed(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """See `Encoder`; raises EncoderUnavailable where the weights cannot be had."""
        vectors: NDArray[np.float32] = self._loaded().embed(images)
        return vectors

    def embed_pixels(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Encoder`; raises EncoderUnavailable where the weights cannot be had."""
        vectors: NDArray[np.float32] = self._loaded().embed_pixels(pixels)
        return vectors

    def _loaded(self) -> Any:
        from indexer.encoder.load import load_encoder  # noqa: PLC0415  # torch

        return load_encoder(self.name)


def _lite0() -> Known:
    config = json.loads((CONFIGS / f"{LITE0}.json").read_text(encoding="utf-8"))
    vision = config["vision_cfg"]
    form = EncoderInput(vision["image_size"])
    return Known(
        LITE0, "imagenet", config["embed_dim"], form, _IMAGENET_MEAN, _IMAGENET_STD,
        vision["timm_pool"],
    )  # fmt: skip


def _asked_apart(name: str) -> Known:
    done = subprocess.run(
        [sys.executable, "-m", "indexer.encoder.load", name],
        cwd=_ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode == _REFUSED:
        raise EncoderUnavailable(done.stdout.strip())
    if done.returncode:
        raise EncoderUnavailable(
            f"What {name} is could not be found out: "
            f"`python -m indexer.encoder.load {name}` says why."
        )
    return Known.from_json(done.stdout)


def answer(ask: Any, name: str) -> int:
    """The child's side: print what is known; returns the exit code."""
    try:
        print(ask(name).to_json())  # noqa: T201  # to the process that asked
    except EncoderUnavailable as refusal:
        print(refusal)  # noqa: T201
        return _REFUSED
    return 0
