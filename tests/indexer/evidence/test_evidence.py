import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer import DEFAULT_ENCODER
from indexer.evidence.hits import Candidate, GroupHits, Row
from indexer.evidence.verdict import SHORTLIST, Shortlisted, conclude, measured, shortlist
from indexer.geometry.verify import Geometry

VIEWS = ("whole", "left")
RANKS = np.arange(1, 65)


def falling(level: float) -> np.ndarray:
    """Best cosines of two views as they fall among photographs, the fortieth near `level`."""
    return np.tile(level - 0.08 * np.log10(RANKS / 40), (2, 1)).astype(np.float32)


def candidate(number: int, **facts: Any) -> Candidate:
    row = Row(f"{number:09d}", "00000", number, None, None, None, None)
    plain: dict[str, Any] = {"digest": False, "pdq": 128, "phash": 32, "cosines": (0.3, 0.3)}
    return Candidate(row, **(plain | facts))


def hits(*candidates: Candidate, group: int = 0, level: float = 0.56, **facts: Any) -> GroupHits:
    plain: dict[str, Any] = {
        "dataset": "d",
        "rows": 1000,
        "encoder": DEFAULT_ENCODER,
        "views": VIEWS,
        "flags": (),
        "top_cosines": falling(level),
    }
    return GroupHits(group=group, candidates=candidates, near=len(candidates), **(plain | facts))


COPY = Geometry(
    inliers=60,
    spread=0.6,
    agreement=0.95,
    patch=0.9,
    density=0.95,
    consistency=0.97,
    solidity=1.0,
    likeness=0.95,
    cells=500,
    overlap=0.9,
    covered=1.0,
)
STRANGER = Geometry(
    inliers=90,
    spread=0.6,
    agreement=0.6,
    patch=0.25,
    density=0.6,
    consistency=0.7,
    solidity=0.8,
    likeness=0.95,
    cells=600,
    overlap=1.0,
    covered=1.0,
)


def verdicts(*found: GroupHits) -> list[tuple[int, str]]:
    return [(match.index, match.kind) for match in conclude(found, top=20)]


def test_an_equal_digest_is_exact_whatever_else() -> None:
    bare = candidate(1, digest=True, pdq=None, phash=None, cosines=())
    (match,) = conclude([hits(bare)], top=20)
    assert (match.kind, match.score) == ("exact", 1.0)
    assert match.evidence.cosine is None


def test_pdq_within_its_radius_is_a_copy_and_far_beyond_it_is_not() -> None:
    assert verdicts(hits(candidate(1, pdq=31))) == [(1, "copy")]
    assert verdicts(hits(candidate(1, pdq=56))) == [(1, "similar")]
    assert verdicts(hits(candidate(1, pdq=90))) == []


def test_a_near_phash_alone_is_not_enough() -> None:
    assert ("copy" in {kind for _, kind in verdicts(hits(candidate(1, phash=6)))}) is False


@pytest.mark.parametrize(("cosine", "kind"), [(0.97, "copy"), (0.8, "similar"), (0.68, None)])
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
    few = np.array([[0.8], [0.2]], np.float32)
    assert verdicts(hits(candidate(1, cosines=(0.8, 0.2)), top_cosines=few)) == [(1, "similar")]


def test_many_copies_do_not_hide_each_other() -> None:
    copies = [candidate(number, pdq=60, phash=4, cosines=(0.97, 0.5)) for number in range(50)]
    found = hits(*copies, level=0.97)
    assert {kind for _, kind in verdicts(found)} == {"copy"}


def test_a_family_of_look_alikes_is_no_family_of_copies() -> None:
    pages = [candidate(number, cosines=(0.95 - 0.004 * number, 0.9)) for number in range(20)]
    found = conclude([hits(*pages, level=0.9)], top=20)
    assert "copy" not in {match.kind for match in found}


def test_what_stands_out_counts_for_more_where_look_alikes_lie_close_together() -> None:
    near, apart = (
        conclude([hits(candidate(1, cosines=(0.75, 0.3)), top_cosines=table)], top=1)[0]
        for table in (falling(0.58), 2 * falling(0.60) - np.float32(0.62))
    )
    assert near.score > apart.score


def test_to_stand_out_among_more_rows_counts_for_more_up_to_a_million() -> None:
    scores = [
        conclude([hits(candidate(1, cosines=(0.78, 0.3)), rows=rows)], top=1)[0].score
        for rows in (100, 1000, 10**5, 10**6, 10**9)
    ]
    assert scores[0] == scores[1] < scores[2] < scores[3] == scores[4]


def test_an_encoder_nobody_measured_makes_no_copy_by_itself() -> None:
    near = candidate(1, cosines=(0.99, 0.0))
    assert verdicts(hits(near, encoder="ViT-L-14/openai")) == [(1, "similar")]
    assert verdicts(hits(candidate(1, pdq=10), encoder="ViT-L-14/openai")) == [(1, "copy")]


def test_the_order_of_groups_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    groups = [
        hits(
            *(candidate(10 * g + n, cosines=(0.9 + 0.01 * n, 0.1)) for n in range(8)),
            group=g,
            top_cosines=-np.sort(-0.7 * rng.random((2, 64)).astype(np.float32)),
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


def test_pixels_that_agree_make_a_copy_of_a_weak_candidate() -> None:
    weak = candidate(1, cosines=(0.72, 0.3))
    assert "copy" not in {kind for _, kind in verdicts(hits(weak))}
    (match,) = conclude([hits(weak)], top=5, geometry={("d", "00000", 1): COPY})
    assert (match.kind, match.evidence.basis) == ("copy", "pixels")
    assert match.score > 0.95
    assert (match.evidence.inliers, match.evidence.agreement) == (60, 0.95)
    assert (match.evidence.overlap, match.evidence.mirrored) == (0.9, False)


def test_strangers_before_one_flag_are_no_copies_however_near_by_embedding() -> None:
    near = candidate(1, pdq=70, phash=12, cosines=(0.97, 0.9))
    assert {kind for _, kind in verdicts(hits(near))} == {"copy"}
    found = conclude([hits(near)], top=5, geometry={("d", "00000", 1): STRANGER})
    assert "copy" not in {match.kind for match in found}


def test_a_look_alike_that_does_not_align_is_not_shown() -> None:
    near = candidate(1, cosines=(0.9, 0.5))
    assert conclude([hits(near)], top=5, geometry={("d", "00000", 1): Geometry()}) == []


def test_a_row_whose_pixels_were_not_compared_is_judged_by_fingerprints() -> None:
    near, other = candidate(1, cosines=(0.97, 0.3)), candidate(2, cosines=(0.97, 0.3))
    found = {
        match.index: match
        for match in conclude([hits(near, other)], top=5, geometry={("d", "00000", 2): Geometry()})
    }
    assert set(found) == {1}
    assert found[1].evidence.basis == "fingerprints"
    assert found[1].evidence.inliers is found[1].evidence.agreement is None


def test_pdq_within_its_radius_stands_where_a_picture_is_too_soft_for_keypoints() -> None:
    soft = candidate(1, pdq=12)
    (match,) = conclude([hits(soft)], top=5, geometry={("d", "00000", 1): Geometry()})
    assert match.kind == "copy"


def test_a_row_without_hashes_is_judged_by_its_embedding() -> None:
    bare = candidate(1, pdq=None, phash=None, cosines=(0.98, 0.3))
    assert verdicts(hits(bare)) == [(1, "copy")]


def test_a_row_with_hashes_alone_is_judged_by_them() -> None:
    hashed = candidate(1, pdq=20, phash=None, cosines=())
    found = hits(hashed, views=(), top_cosines=np.empty((0, 0), np.float32))
    assert verdicts(found) == [(1, "copy")]


def test_the_shortlist_is_of_all_groups_whatever_their_order() -> None:
    groups = [
        hits(
            *(candidate(100 * g + n, cosines=(0.5 + 0.004 * n + g / 1000, 0.1)) for n in range(30)),
            group=g,
        )
        for g in range(3)
    ]
    first = shortlist(groups, datasets={"d"})
    assert len(first) == SHORTLIST
    assert [one.row.index for one in first[:3]] == [229, 129, 29]
    for order in itertools.permutations(groups):
        assert shortlist(order, datasets={"d"}) == first


def test_rows_of_datasets_without_pictures_take_no_place() -> None:
    groups = [
        hits(*(candidate(n, cosines=(0.9, 0.1)) for n in range(SHORTLIST)), dataset="bare"),
        hits(candidate(7, cosines=(0.6, 0.1))),
    ]
    assert [one.id for one in shortlist(groups, datasets={"d"})] == [("d", "00000", 7)]


def test_only_rows_that_were_compared_are_worth_reading() -> None:
    by_url = candidate(1, digest=True, pdq=None, phash=None, cosines=())
    assert shortlist([hits(by_url)], datasets={"d"}) == []


def test_a_shortlisted_row_survives_the_way() -> None:
    (one,) = shortlist([hits(candidate(7, cosines=(0.9, 0.1)))], datasets={"d"})
    assert one.id == ("d", "00000", 7)
    assert Shortlisted.from_json(one.as_json()) == one


def test_what_is_measured_is_what_is_judged() -> None:
    found = hits(candidate(1, cosines=(0.9, 0.1)), candidate(2, digest=True, cosines=()))
    rows = measured([found], {("d", "00000", 1): COPY})
    assert [row for row, _, _ in rows] == [("d", "00000", 1), ("d", "00000", 2)]
    assert rows[0][2] is not None
    assert rows[0][2]["agreement"] == 0.95
    assert rows[1][2] is None


@given(
    st.sampled_from(["inliers", "agreement", "patch", "density", "consistency", "solidity"]),
    st.floats(0, 0.9),
)
def test_pixels_that_agree_less_never_score_higher(field: str, share: float) -> None:
    weaker = dataclasses.replace(COPY, **{field: type(getattr(COPY, field))(share)})
    pair = hits(candidate(1, cosines=(0.8, 0.3)), candidate(2, cosines=(0.8, 0.3)))
    geometry = {("d", "00000", 1): COPY, ("d", "00000", 2): weaker}
    scores = {match.index: match.score for match in conclude([pair], top=5, geometry=geometry)}
    assert scores.get(2, 0.0) <= scores[1] < 1.0
