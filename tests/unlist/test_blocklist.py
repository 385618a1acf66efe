"""``Blocklist`` as data loaders use it."""

import json
from collections.abc import Callable

import duckdb
import pyarrow as pa
import pytest

import unlist
from tests.unlist.publisher import Listed
from unlist import Blocklist
from unlist.blocklist import NothingToKnowBy
from unlist.keys import NotIdentifying

Make = Callable[[Listed], Blocklist]
BAD, GOOD = "https://a.example/bad.jpg", "https://a.example/good.jpg"
DIGEST = "ab" * 32
LISTED: Listed = {"url": [BAD], "sha256": [DIGEST], "md5": []}


def test_a_batch_is_masked_by_every_column(blocklist: Make) -> None:
    batch = pa.record_batch(
        {
            "URL": [GOOD, BAD, None, GOOD, GOOD],
            "image_url": [None, GOOD, None, None, BAD],
            "SHA256": [None, None, DIGEST.upper(), "cd" * 32, None],
            "n": range(5),
        }
    )
    listed = blocklist(LISTED)
    mask = listed.mask(batch)
    assert mask.type == pa.bool_()
    assert mask.to_pylist() == [False, True, True, False, True]
    assert listed.filter(batch)["n"].to_pylist() == [0, 3]
    assert listed.mask(pa.Table.from_batches([batch, batch])).to_pylist() == mask.to_pylist() * 2
    assert listed.mask(batch.slice(0, 0)).to_pylist() == []


def test_data_without_an_identity_is_no_answer(blocklist: Make) -> None:
    listed = blocklist(LISTED)
    with pytest.raises(NothingToKnowBy, match=r"url, sha256 or md5 .* only: caption, n"):
        listed.mask(pa.record_batch({"caption": ["x"], "n": [1]}))
    with pytest.raises(NothingToKnowBy, match="only: jpg, json, txt"):
        listed.keep_sample({"jpg": b"", "json": b"{}", "txt": ""})
    with pytest.raises(NothingToKnowBy, match="only: none"):
        listed.keep_rows({})
    with pytest.raises(NotIdentifying, match="cannot hold a url"):
        listed.mask(pa.record_batch({"url": [1]}))


def test_webdataset_samples(blocklist: Make) -> None:
    keep = blocklist(LISTED).keep_sample
    assert keep({"__key__": "0", "__url__": BAD, "json": json.dumps({"url": GOOD}).encode()})
    assert not keep({"jpg": b"", "json": json.dumps({"url": BAD})})
    assert not keep({"json": {"url": GOOD, "sha256": DIGEST}})
    assert not keep({"url": BAD.encode(), "json": {"url": GOOD}})
    assert not keep({"url": GOOD, "json": {"url": BAD}})
    assert keep({"json": {"url": None, "sha256": None}})
    assert not keep({"url": GOOD, "sha256": bytes.fromhex(DIGEST)})
    assert keep({"url": b"https://ok.example/\xff.jpg"})


@pytest.mark.parametrize("value", [[BAD], {"href": BAD}, 1])
def test_a_sample_whose_address_is_no_text_is_no_answer(blocklist: Make, value: object) -> None:
    with pytest.raises(NotIdentifying, match="cannot hold a url"):
        blocklist(LISTED).keep_sample({"json": json.dumps({"url": value}).encode()})


def test_rows_of_hugging_face_batches(blocklist: Make) -> None:
    keep = blocklist(LISTED).keep_rows
    assert keep({"url": [GOOD, BAD, None], "text": ["a", "b", "c"]}) == [True, False, True]
    assert keep({"url": [None, None], "md5": [None, "00" * 16]}) == [True, True]


def test_duckdb_anti_join(blocklist: Make) -> None:
    con = duckdb.connect()
    assert blocklist(LISTED).duckdb_view(con) == "unlist_keys"
    con.execute("CREATE TABLE data AS SELECT unnest([?, ?, NULL]) AS url", [BAD, GOOD])
    kept = con.execute(
        """SELECT url FROM data WHERE NOT EXISTS (
              SELECT 1 FROM unlist_keys WHERE kind = 'url'
              AND key = unhex(substr(sha256('unlist/1/url' || chr(10) || url), 1, 32)))"""
    ).fetchall()
    assert sorted(kept, key=str) == [(GOOD,), (None,)]
    kinds = con.execute("SELECT kind, count(*) FROM unlist_keys GROUP BY 1 ORDER BY 1").fetchall()
    assert kinds == [("sha256", 1), ("url", 1)]


def test_an_empty_list_lists_nothing(blocklist: Make) -> None:
    listed = blocklist({})
    assert len(listed) == 0
    assert listed.mask(pa.record_batch({"url": [BAD, None]})).to_pylist() == [False, False]
    con = duckdb.connect()
    listed.duckdb_view(con)
    assert con.execute("SELECT count(*) FROM unlist_keys").fetchone() == (0,)


def test_what_a_list_says_of_itself(blocklist: Make) -> None:
    listed = blocklist(LISTED)
    assert (listed.release, listed.age_days, len(listed)) == (1, 0, 2)
    assert (listed.keys_listed("url"), listed.keys_listed("md5")) == (1, 0)
    assert listed.created_on == listed.manifest.created_on
    assert listed.fresh_until.tzinfo is not None


def test_the_package_offers_what_it_promises() -> None:
    assert unlist.Blocklist is Blocklist
    assert issubclass(unlist.ListUnavailable, Exception)
    with pytest.raises(AttributeError, match="no attribute 'Whitelist'"):
        _ = unlist.Whitelist
