import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer import DEFAULT_ENCODER
from indexer.evidence import conclude
from indexer.hits import Candidate, GroupHits, Row

VIEWS = ("whole", "left")


def candidate(number: int, **facts: Any) -> Candidate:
    row = Row(f"{number:09d}", "00000", number, None, None, None, None)
    plain: dict[str, Any] = {"digest": False, "pdq": 128, "phash": 32, "cosines": (0.3, 0.3)}
    return Candidate(row, **(plain | facts))


def hits(*candidates: Candidate, group: int = 0, level: float = 0.6, **facts: Any) -> GroupHits:
    plain: dict[str, Any] = {
        "dataset": "d",
        "rows": 1000,
        "encoder": DEFAULT_ENCODER,
        "views": VIEWS,
        "flags": (),
        "top_cosines": np.full((2, 64), level, np.float32),
    }
    return GroupHits(group=group, candidates=candidates, **(plain | facts))


def verdicts(*found: GroupHits) -> list[tuple[int, str]]:
    return [(match.index, match.kind) for match in conclude(found, top=20)]


def test_an_equal_digest_is_exact_whatever_else() -> None:
    bare = candidate(1, digest=True, pdq=None, phash=None, cosines=())
    (match,) = conclude([hits(bare)], top=20)
    assert (match.kind, match.score) == ("exact", 1.0)
    assert match.evidence.cosine is None


def test_pdq_within_its_radius_is_a_copy_and_beyond_it_is_not() -> None:
    assert verdicts(hits(candidate(1, pdq=31))) == [(1, "copy")]
    assert verdicts(hits(candidate(1, pdq=32))) == []


def test_a_near_phash_alone_is_not_enough() -> None:
    assert ("copy" in {kind for _, kind in verdicts(hits(candidate(1, phash=6)))}) is False


@pytest.mark.parametrize(("cosine", "kind"), [(0.97, "copy"), (0.85, "similar"), (0.7, None)])
def test_a_cosine_counts_by_how_far_it_stands_out(cosine: float, kind: str | None) -> None:
    alone = verdicts(hits(candidate(1, cosines=(cosine, 0.0))))
    assert alone == ([] if kind is None else [(1, kind)])
    crowded = verdicts(hits(candidate(1, cosines=(cosine - 0.2, 0.0)), level=0.75))
    assert (1, "copy") not in crowded


def test_half_a_picture_must_stand_out_further() -> None:
    whole = conclude([hits(candidate(1, cosines=(0.9, 0.0)))], top=1)[0]
    half = conclude([hits(candidate(1, cosines=(0.0, 0.9)))], top=1)[0]
    assert half.score < whole.score
    assert half.evidence.cosine == whole.evidence.cosine == 0.9


def test_a_small_collection_has_the_usual_background() -> None:
    few = np.array([[0.93], [0.2]], np.float32)
    assert verdicts(hits(candidate(1, cosines=(0.93, 0.2)), top_cosines=few)) == [(1, "similar")]


def test_many_copies_do_not_hide_each_other() -> None:
    copies = [candidate(number, pdq=60, phash=4, cosines=(0.97, 0.5)) for number in range(50)]
    found = hits(*copies, level=0.97)
    assert {kind for _, kind in verdicts(found)} == {"copy"}


def test_an_encoder_nobody_measured_makes_no_copy_by_itself() -> None:
    near = candidate(1, cosines=(0.99, 0.0))
    assert verdicts(hits(near, encoder="ViT-L-14/openai")) == [(1, "similar")]
    assert verdicts(hits(candidate(1, pdq=10), encoder="ViT-L-14/openai")) == [(1, "copy")]


def test_the_order_of_groups_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    groups = [
        hits(
            *(candidate(10 * g + n, cosines=(0.8 + 0.02 * n, 0.1)) for n in range(8)),
            group=g,
            top_cosines=-np.sort(-rng.random((2, 64)).astype(np.float32)),
        )
        for g in range(4)
    ]
    first = conclude(groups, top=10)
    assert len(first) == 10
    for order in itertools.permutations(groups):
        assert conclude(order, top=10) == first


def test_the_background_is_that_of_all_groups_together() -> None:
    quiet = hits(candidate(1, cosines=(0.9, 0.0)), level=0.5)
    loud = hits(candidate(2, cosines=(0.1, 0.0)), group=1, level=0.8)
    alone, together = conclude([quiet], top=1)[0], conclude([quiet, loud], top=1)[0]
    assert together.score < alone.score


def test_nothing_searched_gives_nothing() -> None:
    assert conclude([], top=20) == []
    assert conclude([hits(top_cosines=np.empty((0, 0), np.float32), views=())], top=20) == []


@given(
    pdq=st.integers(0, 255),
    phash=st.integers(0, 63),
    cosine=st.floats(0.4, 0.98),
    worse=st.sampled_from(["pdq", "phash", "cosine"]),
)
def test_weaker_evidence_never_scores_higher(
    pdq: int, phash: int, cosine: float, worse: str
) -> None:
    strong = candidate(1, pdq=pdq, phash=phash, cosines=(cosine, 0.0))
    weak = candidate(
        2,
        pdq=pdq + (worse == "pdq"),
        phash=phash + (worse == "phash"),
        cosines=(cosine - (worse == "cosine") * 0.02, 0.0),
    )
    scores = {match.index: match.score for match in conclude([hits(strong, weak)], top=5)}
    assert scores.get(2, 0.0) <= scores.get(1, 0.0) < 1.0
