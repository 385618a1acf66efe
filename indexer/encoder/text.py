"""Words become vectors beside which pictures lie: the text tower of an open_clip model.

A text and the pictures that it tells of have near vectors only by an encoder that was trained on
both. The packaged default was trained on pictures alone; it is refused by its name. A text is
embedded seldom, so that the tower is loaded for it and let go.

Tokens are made by open_clip's own tokenizer, which for OpenAI's and LAION's models comes with the
package. Some others fetch theirs from a model hub: without it they are refused, and say so.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray

from indexer.encoder.known import (
    EncoderUnavailable,
    Known,
    NoTextTower,
    TokenizerUnavailable,
    known_encoder,
    reads_text,
)
from indexer.encoder.load import pretrained_model


def embed_text(name: str, texts: Sequence[str]) -> NDArray[np.float32]:
    """Embed texts by an encoder of pictures: float32[n, dim], each row of Euclidean length 1.

    Args:
        name: the encoder's. Of a text as many tokens count as the model takes (77 for most).
        texts: in a language that the model was trained on; English for most.

    Raises:
        NoTextTower: it was trained on pictures alone.
        EncoderUnavailable: there is none of that name, or its weights cannot be had.
        TokenizerUnavailable: likewise its tokenizer.
    """
    if not reads_text(name):
        raise NoTextTower(name)
    known = known_encoder(name)
    tokenizer = _tokenizer(name, known)
    model = pretrained_model(name, known).eval()
    encode = getattr(model, "encode_text", None)
    if encode is None:
        raise NoTextTower(name)
    torch.set_num_threads(1)
    with torch.inference_mode():
        vectors: NDArray[np.float32] = encode(tokenizer(list(texts))).float().numpy()
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-12)
    if vectors.shape[1] != known.dim:
        raise EncoderUnavailable(
            f"{name} gives {vectors.shape[1]} dimensions for words and {known.dim} for pictures: "
            "start from an example instead."
        )
    return np.asarray(vectors / lengths, np.float32)


def _tokenizer(name: str, known: Known) -> Any:
    """open_clip's tokenizer of a model.

    Raises:
        TokenizerUnavailable: it must be fetched, or takes a library that is not there.
    """
    try:
        return open_clip.get_tokenizer(known.model)
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        raise TokenizerUnavailable(
            f"The tokenizer of {name} does not come with open_clip and could not be loaded "
            f"({type(error).__name__}): install transformers and give this machine access to the "
            "model hub, or index by an encoder such as ViT-L-14/openai."
        ) from error
