"""A sweep over real indexes: by an example, by a row, by words, past what is masked."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from django.core.management import call_command
from PIL import Image

from catalog.masking import keys_mask
from catalog.models import Dataset, Group
from indexer.encoder.load import load_encoder
from removal.life.sweeping import sweep_start
from removal.models import Errand, ErrandState
from removal.search import draining, errands, fingerprinting, matching
from removal.search.sweeps import ROW_GONE, TOKENIZER
from removal.selectors.sweeps import sweep_view
from tests.indexer.test_text import small_clip
from tests.removal import factories
from tests.removal.sweeping import WORDS, asked, searched
from unlist.keys import row_key
from unlist.keyset import as_keys

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("made_secrets")]

PICTURES = 12
TEXT_ENCODER = "ViT-B-16/openai"


def picture(seed: int) -> Image.Image:
    """Return a smooth picture of its own, as photographs are."""
    noise = np.random.default_rng(seed).integers(0, 256, (9, 9, 3), np.uint8)
    return Image.fromarray(noise).resize((256, 256), Image.Resampling.BICUBIC)


def as_jpeg(image: Image.Image, quality: int = 90) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return out.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "pictures"
    made.mkdir()
    for seed in range(PICTURES):
        (made / f"{seed:02}.jpg").write_bytes(as_jpeg(picture(seed)))
    return made


@pytest.fixture
def indexed(folder: Path) -> Path:
    call_command("add_dataset", "sample", format="images", path=str(folder))
    call_command("index_dataset", "sample")
    return folder


@pytest.fixture
def clip(monkeypatch: pytest.MonkeyPatch) -> Iterator[torch.nn.Module]:
    """Let a small model stand for one whose weights would be fetched."""
    model = small_clip().eval()
    monkeypatch.setattr(open_clip, "create_model", lambda *_, **__: model)
    load_encoder.cache_clear()
    yield model
    load_encoder.cache_clear()


def begun(**changes: Any) -> Errand:
    finder = factories.role_user("finder", "reviewer")
    words = {name: changes.pop(name) for name in ("example", "candidate_id") if name in changes}
    return sweep_start(reviewer=finder, asked=asked(**changes), **words)


def found(errand: Errand) -> dict[str, float]:
    return {row.row.key: row.row.score for row in sweep_view(errand.pk).rows}


def test_an_example_finds_its_like_and_nothing_that_is_masked(indexed: Path) -> None:
    altered = as_jpeg(picture(4).crop((10, 10, 240, 250)), 60)
    errand = searched(begun(example=altered, most=5))
    assert errand.state == ErrandState.DONE
    rows = found(errand)
    assert (len(rows), next(iter(rows))) == (5, "04.jpg")
    assert sweep_view(errand.pk).account.searched == {"sample": PICTURES}  # type: ignore[union-attr]
    record = sweep_view(errand.pk).rows[0].row
    key = as_keys(np.frombuffer(row_key("sha256", record.sha256 or ""), np.uint8).reshape(1, 16))
    keys_mask(dataset=Dataset.objects.get(), keys=key)
    again = found(searched(begun(example=altered, most=5)))
    assert "04.jpg" not in again
    assert next(iter(again)) == list(rows)[1]


def test_a_least_similarity_leaves_the_rest_out(indexed: Path) -> None:
    example = as_jpeg(picture(2))
    everything = found(searched(begun(example=example)))
    assert len(everything) == PICTURES
    bound = list(everything.values())[3]
    near = found(searched(begun(example=example, least=bound)))
    assert near == {key: score for key, score in everything.items() if score >= bound}


@pytest.mark.parametrize("withheld", [False, True])
def test_a_row_finds_itself_first_with_and_without_its_picture(
    indexed: Path, withheld: bool
) -> None:
    case = factories.received(photos=[as_jpeg(picture(7))])
    fingerprinting.request_fingerprint(case.request_id)
    for _ in range(2):
        for group_id in factories.groups_waited_for():
            draining.group_drain(group_id)
        matching.request_conclude(case.request_id)
    if withheld:
        Dataset.objects.update(facts={})
        (indexed / "07.jpg").unlink()
    errand = searched(begun(start="row", candidate_id=case.candidates[0].pk))
    rows = found(errand)
    assert (errand.fault, len(rows)) == ("", PICTURES)
    assert next(iter(rows)) == "07.jpg"
    assert rows["07.jpg"] == pytest.approx(1, abs=2e-3)


def test_words_find_the_rows_whose_pictures_lie_nearest_to_them(
    folder: Path, clip: torch.nn.Module
) -> None:
    call_command("add_dataset", "sample", format="images", path=str(folder), encoder=TEXT_ENCODER)
    call_command("index_dataset", "sample")
    errand = searched(begun(start="text"))
    assert (errand.state, errand.fault) == (ErrandState.DONE, "")
    tokens = open_clip.get_tokenizer("ViT-B-16")([WORDS])
    with torch.inference_mode():
        words = clip.encode_text(tokens, normalize=True).numpy()[0]  # type: ignore[operator]
    pictures = [Image.open(folder / f"{seed:02}.jpg").convert("RGB") for seed in range(PICTURES)]
    cosines = load_encoder(TEXT_ENCODER).embed(pictures) @ words
    rows = found(errand)
    assert rows == pytest.approx(
        {f"{seed:02}.jpg": float(cosine) for seed, cosine in enumerate(cosines)}, abs=2e-3
    )
    assert list(rows.values()) == sorted(rows.values(), reverse=True)


def test_a_tokenizer_that_cannot_be_had_fails_the_sweep_with_its_reason(
    indexed: Path, clip: torch.nn.Module
) -> None:
    Group.objects.update(encoder="roberta-ViT-B-32/laion2b_s12b_b32k")
    errand = searched(begun(start="text"))
    assert (errand.state, errand.fault) == (ErrandState.FAILED, TOKENIZER)


def test_a_group_that_left_since_is_no_start(indexed: Path) -> None:
    case = factories.in_review([factories.match(key="000000001")])
    errand = begun(start="row", candidate_id=case.candidates[0].pk)
    Group.objects.filter(number=0).delete()
    errands.errand_advance(errand.pk)
    errand.refresh_from_db()
    assert errand.fault == ROW_GONE
