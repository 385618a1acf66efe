"""The default encoder with its real weights."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image, ImageOps

from indexer import DEFAULT_ENCODER
from indexer.encoder import known as encoder_known
from indexer.encoder import load as encoder
from indexer.encoder.input import Fit
from indexer.encoder.load import (
    DeferredEncoder,
    Encoder,
    EncoderUnavailable,
    encoder_facts,
    load_encoder,
)
from indexer.encoder.tower import OpenClipEncoder, Placement, fold_norms, input_of
from tests.indexer.pictures import picture


def opened(lite: Encoder) -> Callable[[Image.Image], torch.Tensor]:
    """open_clip's own way from a picture to the input."""
    known = encoder_known.known_encoder(lite.name)
    facts = PreprocessCfg(size=known.input.side, mean=known.mean, std=known.std)
    transform: Callable[[Image.Image], torch.Tensor] = image_transform_v2(facts, is_train=False)
    return transform


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
    skimage_data = pytest.importorskip("skimage.data")
    lite = load_encoder()
    names = ("astronaut", "coffee", "chelsea", "rocket")
    photos = [Image.fromarray(getattr(skimage_data, name)()) for name in names]
    visual = encoder._lite0_visual()  # before its norms are folded away
    norm = visual.trunk.bn2
    seen: list[torch.Tensor] = []
    norm.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.inference_mode():
        features = visual(torch.stack([opened(lite)(photo) for photo in photos]))
    values = torch.cat([part.movedim(1, -1).reshape(-1, 1280) for part in seen])
    standard = (values.mean(0) - norm.running_mean) / norm.running_var.sqrt()
    assert standard.abs().median() < 0.5
    unit = torch.nn.functional.normalize(features).numpy()
    assert np.allclose(lite.embed(photos), unit, atol=1e-5)


@pytest.mark.parametrize("fit", ["shortest", "longest", "squash"])
@pytest.mark.parametrize("size", [(200, 300), (301, 200), (64, 64), (32, 32), (900, 41), (20, 33)])
def test_pictures_are_brought_to_the_input_as_open_clip_does(
    fit: Fit, size: tuple[int, int]
) -> None:
    facts = PreprocessCfg(size=32, mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6), resize_mode=fit)
    wanted = image_transform_v2(facts, is_train=False)(picture(1, size))
    pixels = torch.from_numpy(input_of(facts).pixels(picture(1, size)).copy())
    mean, std = torch.tensor(facts.mean), torch.tensor(facts.std)
    assert torch.allclose(((pixels / 255 - mean) / std).permute(2, 0, 1), wanted, atol=1e-5)


def test_an_input_that_is_no_square_is_refused() -> None:
    assert input_of(PreprocessCfg(size=(32, 32))) == input_of(PreprocessCfg(size=32))
    with pytest.raises(ValueError, match="no square"):
        input_of(PreprocessCfg(size=(32, 64)))


def test_the_placement_changes_the_speed_and_not_the_vectors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Half precision, large batches and a device named outright, as on a GPU."""
    lite = load_encoder()
    images = [picture(seed) for seed in range(5)]
    half = OpenClipEncoder(
        "lite in half",
        fold_norms(encoder._lite0_visual()),
        encoder_known.known_encoder(DEFAULT_ENCODER),
        placement=Placement(torch.device("cpu", 0), torch.bfloat16, batch=256, threads=2),
    )
    found = half.embed(images)
    assert found.dtype == np.float32
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert (found * lite.embed(images)).sum(axis=1).min() > 0.99
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    best = Placement.best()
    assert (best.device.type, best.dtype) == ("cuda", torch.float16)


def test_what_an_index_records_is_told_without_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "_lite0_weights", None)
    monkeypatch.setattr(open_clip, "create_model", None)
    assert encoder_facts().dim == 1280
    clip = encoder_facts("ViT-L-14/openai")
    assert (clip.dim, "resize 224 shortest bicubic, mean [0.48" in clip.preprocessing) == (
        768,
        True,
    )
    with pytest.raises(EncoderUnavailable, match="no-model/openai"):
        encoder_facts("no-model/openai")


def test_open_clip_is_asked_in_a_process_of_its_own_where_it_is_not_loaded() -> None:
    apart = encoder_known._asked_apart("ViT-L-14/openai")
    assert apart == encoder_known.known_encoder("ViT-L-14/openai")
    with pytest.raises(EncoderUnavailable, match="There is no encoder 'no-model/openai'"):
        encoder_known._asked_apart("no-model/openai")


def test_a_deferred_encoder_is_the_same_encoder() -> None:
    deferred, lite = DeferredEncoder(DEFAULT_ENCODER), load_encoder()
    for name in ("name", "preprocessing", "dim", "input"):
        assert getattr(deferred, name) == getattr(lite, name)
    assert np.allclose(deferred.embed([picture(1)]), lite.embed([picture(1)]), atol=1e-6)


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
        embed_dim=512,
        vision_cfg={"image_size": 224, "layers": 1, "width": 64, "patch_size": 16},
        text_cfg={"context_length": 1, "vocab_size": 1, "width": 8, "heads": 1, "layers": 1},
    )
    asked: list[tuple[object, ...]] = []

    def create(model: str, **options: object) -> torch.nn.Module:
        asked.append((model, options))
        return small

    monkeypatch.setattr(open_clip, "create_model", create)
    made = encoder.load_encoder.__wrapped__("ViT-B-16/openai")
    wanted = {"pretrained": "openai", "require_pretrained": True, "force_quick_gelu": True}
    assert asked == [("ViT-B-16", wanted)]
    assert (made.name, made.dim) == ("ViT-B-16/openai", 512)
    assert "resize 224" in made.preprocessing
    assert "0.48145466" in made.preprocessing
    assert made.embed([picture(1)]).shape == (1, 512)
    with pytest.raises(EncoderUnavailable, match="512 dimensions where its configuration says 768"):
        encoder.load_encoder.__wrapped__("ViT-L-14/openai")


def test_other_weights_are_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "_LITE0_SHA256", hashlib.sha256(b"").hexdigest())
    with pytest.raises(EncoderUnavailable, match="reinstall"):
        encoder._lite0_visual()
    monkeypatch.setattr(encoder, "_LITE0_PACKAGE", "no_such_package")
    with pytest.raises(EncoderUnavailable, match="pip install"):
        encoder._lite0_visual()


def test_the_config_lies_beside_the_code() -> None:
    assert (Path(encoder.__file__).parents[1] / "configs" / "efficientnet-lite0.json").is_file()
