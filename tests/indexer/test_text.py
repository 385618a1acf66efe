"""Words become vectors by the text tower that goes with the pictures' encoder."""

import numpy as np
import open_clip
import pytest
import torch

from indexer import DEFAULT_ENCODER
from indexer.encoder.known import (
    EncoderUnavailable,
    NoTextTower,
    TokenizerUnavailable,
    reads_text,
)
from indexer.encoder.text import embed_text

TEXTS = ["patient photo before surgery", "a passport, scanned", "x" * 400]


def small_clip() -> torch.nn.Module:
    """Return a small model of two towers, its weights drawn by chance."""
    torch.manual_seed(7)
    model: torch.nn.Module = open_clip.model.CLIP(
        embed_dim=512,
        vision_cfg={"image_size": 224, "layers": 1, "width": 64, "patch_size": 32},
        text_cfg={"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
    )
    return model


@pytest.fixture
def clip(monkeypatch: pytest.MonkeyPatch) -> torch.nn.Module:
    """Let a small model stand for one whose weights would be fetched."""
    model = small_clip()
    monkeypatch.setattr(open_clip, "create_model", lambda *_, **__: model)
    return model


def test_a_text_is_embedded_as_open_clip_does_it(clip: torch.nn.Module) -> None:
    vectors = embed_text("ViT-B-32/openai", TEXTS)
    tokens = open_clip.get_tokenizer("ViT-B-32")(TEXTS)
    with torch.inference_mode():
        wanted = clip.eval().encode_text(tokens, normalize=True).numpy()  # type: ignore[operator]
    assert vectors.shape == (3, 512)
    assert vectors.dtype == np.float32
    assert np.allclose(vectors, wanted, atol=1e-5)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.allclose(embed_text("ViT-B-32/openai", TEXTS[:1])[0], vectors[0], atol=1e-5)
    assert abs(float(vectors[0] @ vectors[1])) < 0.999


def test_the_packaged_encoder_reads_no_words_and_is_named() -> None:
    assert not reads_text(DEFAULT_ENCODER)
    assert reads_text("ViT-B-32/openai")
    with pytest.raises(NoTextTower, match=f"{DEFAULT_ENCODER}.*ViT-L-14/openai"):
        embed_text(DEFAULT_ENCODER, TEXTS)


def test_a_model_without_a_text_tower_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_clip, "create_model", lambda *_, **__: torch.nn.Identity())
    with pytest.raises(NoTextTower, match="ViT-B-32/openai"):
        embed_text("ViT-B-32/openai", TEXTS)


def test_a_tokenizer_that_must_be_fetched_is_refused_and_says_so(clip: torch.nn.Module) -> None:
    """For real: the tokenizer of this model is on the hub, and its library is not installed."""
    with pytest.raises(TokenizerUnavailable, match=r"roberta-ViT-B-32/.*transformers.*model hub"):
        embed_text("roberta-ViT-B-32/laion2b_s12b_b32k", TEXTS)


def test_weights_that_cannot_be_fetched_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise RuntimeError("no route to host")

    monkeypatch.setattr(open_clip, "create_model", unreachable)
    with pytest.raises(EncoderUnavailable, match=r"ViT-B-32/openai.*no route to host"):
        embed_text("ViT-B-32/openai", TEXTS)


def test_towers_that_do_not_belong_together_are_refused(clip: torch.nn.Module) -> None:
    with pytest.raises(EncoderUnavailable, match="512 dimensions for words and 768 for pictures"):
        embed_text("ViT-L-14/openai", TEXTS)


def test_an_unknown_name_is_refused_with_an_example() -> None:
    with pytest.raises(EncoderUnavailable, match="ViT-L-14/openai"):
        embed_text("no-model/openai", TEXTS)
