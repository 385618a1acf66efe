"""The default encoder with its real weights."""

import hashlib
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image, ImageOps

from indexer import DEFAULT_ENCODER, encoder
from indexer.encoder import EncoderUnavailable, load_encoder
from tests.indexer.pictures import picture


def test_vectors_have_length_one_and_do_not_depend_on_the_batch() -> None:
    lite = load_encoder()
    assert (lite.name, lite.dim) == (DEFAULT_ENCODER, 1280)
    images = [picture(seed, (200 + 10 * seed, 240)) for seed in range(9)]
    together = lite.embed(images)
    assert together.shape == (9, 1280)
    assert together.dtype == np.float32
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    alone = np.concatenate([lite.embed([image]) for image in images])
    assert np.allclose(together, alone, atol=1e-5)
    assert lite.embed([]).shape == (0, 1280)


def test_the_weights_are_the_trained_ones() -> None:
    """What reaches the last batch norm on photographs has the mean it recorded in training.

    With one tensor out of place, or other means of the pixels, it would not.
    """
    visual = load_encoder()._visual  # type: ignore[attr-defined]
    seen: list[torch.Tensor] = []
    norm = visual.trunk.bn2
    hook = norm.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    skimage_data = pytest.importorskip("skimage.data")
    names = ("astronaut", "coffee", "chelsea", "rocket")
    load_encoder().embed([Image.fromarray(getattr(skimage_data, name)()) for name in names])
    hook.remove()
    values = torch.cat([part.movedim(1, -1).reshape(-1, 1280) for part in seen])
    standard = (values.mean(0) - norm.running_mean) / norm.running_var.sqrt()
    assert standard.abs().median() < 0.5


def test_a_copy_lies_nearer_than_another_picture() -> None:
    one, copy, other = load_encoder().embed(
        [picture(1), ImageOps.mirror(picture(1)).resize((160, 120)), picture(2)]
    )
    assert one @ copy > one @ other


def test_the_same_name_gives_the_same_encoder() -> None:
    assert load_encoder(DEFAULT_ENCODER) is load_encoder(DEFAULT_ENCODER)


@pytest.mark.parametrize("name", ["", "efficientnet-lite0", "no-model/openai", "ViT-L-14/no-tag"])
def test_an_unknown_name_is_refused_with_an_example(name: str) -> None:
    with pytest.raises(EncoderUnavailable, match="ViT-L-14/openai"):
        load_encoder(name)


def test_weights_that_cannot_be_fetched_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise RuntimeError("no route to host")

    monkeypatch.setattr(open_clip, "create_model", unreachable)
    with pytest.raises(EncoderUnavailable, match=r"ViT-B-32/openai.*no route to host"):
        load_encoder("ViT-B-32/openai")


def test_a_pretrained_model_is_taken_as_open_clip_gives_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The way of the published encoders, with a small model in place of the downloaded one."""
    small: torch.nn.Module = open_clip.model.CLIP(
        embed_dim=16,
        vision_cfg={"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
        text_cfg={"context_length": 1, "vocab_size": 1, "width": 8, "heads": 1, "layers": 1},
    )
    open_clip.model.set_model_preprocess_cfg(
        small, {"size": 32, "mean": (0.1,) * 3, "std": (0.2,) * 3}
    )
    asked: list[tuple[object, ...]] = []

    def create(model: str, **options: object) -> torch.nn.Module:
        asked.append((model, options))
        return small

    monkeypatch.setattr(open_clip, "create_model", create)
    made = encoder.load_encoder.__wrapped__("ViT-B-16/openai")
    wanted = {"pretrained": "openai", "require_pretrained": True, "force_quick_gelu": True}
    assert asked == [("ViT-B-16", wanted)]
    assert (made.name, made.dim) == ("ViT-B-16/openai", 16)
    assert "resize 32" in made.preprocessing
    assert "0.1" in made.preprocessing
    assert made.embed([picture(1)]).shape == (1, 16)


def test_other_weights_are_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "_LITE0_SHA256", hashlib.sha256(b"").hexdigest())
    with pytest.raises(EncoderUnavailable, match="reinstall"):
        encoder._load_lite0()
    monkeypatch.setattr(encoder, "_LITE0_PACKAGE", "no_such_package")
    with pytest.raises(EncoderUnavailable, match="pip install"):
        encoder._load_lite0()


def test_the_config_lies_beside_the_code() -> None:
    assert (Path(encoder.__file__).parent / "configs" / "efficientnet-lite0.json").is_file()
