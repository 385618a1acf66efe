"""The steps of the demo, in their order. Each checks its own outcome; none pretends."""

import json
import time
from typing import Any

from scripts.demo.pictures import Submitted, pictures_make
from scripts.demo.tell import Teller
from scripts.downstream import Held, held, report_read, unlist_run
from scripts.house import House
from scripts.maintainer import Case, Maintainer
from scripts.sample.dataset import Written, write
from scripts.web import Subject, Unexpected

OWN_KINDS = {"exact", "copy"}
PORTRAIT_WORD = "astronaut"  # in the address of every row that holds the portrait, and in no other


class Story:
    """One run of the whole: who did what so far, and where it lies."""

    def __init__(self, house: House, teller: Teller) -> None:
        """Tell it with a service that is not started yet."""
        self._house = house
        self._teller = teller
        self._folder = house.folder
        self._subject = Subject(house.url)
        self._receipts: list[tuple[Submitted, str]] = []

    def tell(self) -> None:
        """Run every step.

        Raises:
            Unexpected: an outcome is not the promised one.
        """
        sample = self._dataset()
        self._start()
        self._cover(sample)
        self._submit()
        self._search()
        self._review(sample)
        self._release()
        before, after = self._downstream(sample)
        self._proof()
        self._verify()
        self._sum(before, after)

    def _dataset(self) -> Written:
        with self._teller.step("A dataset: real photographs amid generated pictures"):
            sample = write(self._folder / "dataset")
            self._teller.say(
                f"{sample.rows} rows in {sample.shards} shards (img2dataset: tar, parquet, stats); "
                f"{sample.pictures} pictures, the rest failed to download.",
                f"{sample.portrait_rows} rows hold NASA's portrait of Eileen Collins: "
                "as it is, smaller, and recompressed.",
            )
        return sample

    def _start(self) -> None:
        with self._teller.step("Site, worker, scheduler and Redis start as real processes"):
            self._house.start()
            self._teller.say(f"The site answers at {self._house.url}; its log is serve.log.")

    def _cover(self, sample: Written) -> None:
        with self._teller.step("The operator covers the dataset: add_dataset, index_dataset"):
            where = (
                "--format",
                "img2dataset",
                "--path",
                sample.folder,
                "--title",
                "Sample dataset",
            )
            added = self._house.manage("add_dataset", "sample", *where)
            self._teller.say(*_lines(added.partition("known beforehand")[0]))
            self._teller.say(*_lines(self._house.manage("index_dataset", "sample")))

    def _submit(self) -> None:
        with self._teller.step("Three people send a photo each; none says who they are"):
            for picture in pictures_make(self._folder / "submitted"):
                answer = self._subject.submit([picture.path])
                self._receipts.append((picture, answer["receipt"]))
                size = picture.path.stat().st_size // 1024
                self._teller.say(
                    f"{picture.path.name} ({size} KiB): {picture.story}.",
                    f"   receipt {answer['receipt']}, answer due {answer['due_on']}",
                )

    def _search(self) -> None:
        with self._teller.step("The worker fingerprints each photo and searches every group"):
            began = time.monotonic()
            for picture, receipt in self._receipts:
                status = self._subject.searched(receipt)
                found = sum(entry["rows"] for entry in status["found"])
                groups = [f"{d['groups_searched']} of {d['groups']}" for d in status["datasets"]]
                self._teller.say(
                    f"{picture.path.name}: groups searched {', '.join(groups)}; "
                    f"{_rows(found)} found; state {status['state']} "
                    f"(after {time.monotonic() - began:.1f} s)"
                )
                self._check_found(picture, found)

    def _check_found(self, picture: Submitted, found: int) -> None:
        if picture.covered and not found:
            raise Unexpected(f"{picture.path.name} is {picture.story}, and no row was found")
        if found and not picture.covered:
            raise Unexpected(f"{picture.path.name} is not in the dataset, and rows were found")

    def _review(self, sample: Written) -> None:
        with self._teller.step("A maintainer logs in, looks, and decides on one page each"):
            maintainer = Maintainer(self._house.url)
            if maintainer.login(*self._house.staff_login()):
                self._teller.say(
                    "The password alone lets nobody in: an authenticator app was set up with the "
                    "key that the page shows, and gave the code."
                )
            paths = maintainer.waiting()
            self._teller.say(f"{len(paths)} requests wait for a decision.")
            for path in paths:
                self._decide(maintainer, maintainer.open(path), sample)
            began = time.monotonic()
            maintainer.settle()
            self._teller.say(
                "Each decision could be undone for a moment; the last took effect after "
                f"{time.monotonic() - began:.1f} s."
            )
            self._tell_subjects()

    def _decide(self, maintainer: Maintainer, case: Case, sample: Written) -> None:
        shown = [len(maintainer.look(frame)) for frame in case.photos]
        own = [row for row in case.rows if row.kind in OWN_KINDS]
        rest = [row for row in case.rows if row.kind not in OWN_KINDS]
        wrong = [row.address for row in own if PORTRAIT_WORD not in row.address]
        if wrong:
            raise Unexpected(f"a row is called a copy and is not: {', '.join(wrong)}")
        self._teller.say(
            f"A request: photo revealed ({shown[0] // 1024} KiB, noted in the audit log); "
            f"{len(own)} of the {sample.portrait_rows} portrait rows, "
            f"and {len(rest)} look-alikes for the maintainer's eye:"
        )
        for row in (*own, *rest[:2]):
            self._teller.say(f"   {row.kind:<8}{row.score:.2f}  {row.evidence}  {row.address}")
        maintainer.decide(
            case,
            approve=[row.id for row in own],
            tier="exact" if own else "",
            reason="" if own else "different_picture",
            statement="The rows that hold your photo go with the next release." if own else "",
        )
        self._teller.say(f"   decided: {'approved, tier exact' if own else 'refused, no match'}")

    def _tell_subjects(self) -> None:
        for picture, receipt in self._receipts:
            status = self._subject.status(receipt)
            expected = {"approved"} if picture.covered else {"denied", "no_match"}
            if status["state"] not in expected:
                raise Unexpected(f"{picture.path.name} ended as {status['state']}")
            words = (status["decision"] or {}).get("reason") or "every row found will go"
            self._teller.say(f"Status by receipt, {picture.path.name}: {status['state']} ({words})")

    def _release(self) -> None:
        with self._teller.step("The release role builds and signs the list: build, publish"):
            for command in ("build_release", "publish_release"):
                self._teller.say(*_lines(self._house.manage(command)))

    def _downstream(self, sample: Written) -> tuple[Held, Held]:
        with self._teller.step("Somebody who holds the dataset pulls the list and applies it"):
            root, cache = self._folder / "root.json", self._folder / "client"
            root.write_text(self._subject.get("metadata/1.root.json"))
            cleaned, report = self._folder / "cleaned", self._folder / "report.json"
            self._teller.say(
                *_lines(unlist_run("pull", self._house.url, "--root", root, "--cache", cache))
            )
            words = ("--out", cleaned, "--cache", cache, "--report", report)
            self._teller.say(*_lines(unlist_run("apply", sample.folder, *words)))
            before, after = held(sample.folder), held(cleaned)
            self._check_removed(before, after, report_read(report))
            gone = next(iter(sorted(before.urls - after.urls)))
            unlist_run("check", "--url", gone, "--cache", cache, code=10)
            self._teller.say(f"`unlist check` says of a removed address that it is listed: {gone}")
        return before, after

    def _check_removed(self, before: Held, after: Held, report: dict[str, Any]) -> None:
        gone = before.urls - after.urls
        if not gone or any(PORTRAIT_WORD not in url for url in gone):
            raise Unexpected(f"the wrong rows were removed: {sorted(gone)}")
        if before.rows - after.rows != report["rows_removed"]:
            raise Unexpected("the report and the files disagree on how many rows are gone")
        if before.pictures - after.pictures != len(gone):
            raise Unexpected("tables and tars disagree on what is gone")
        self._teller.say(
            f"rows     before {before.rows}, after {after.rows}",
            f"pictures before {before.pictures}, after {after.pictures}",
        )

    def _proof(self) -> None:
        with self._teller.step("The person fetches a proof by receipt and checks it offline"):
            picture, receipt = self._receipts[0]
            status = self._subject.status(receipt)
            proofs = self._subject.proofs(receipt)
            if status["state"] != "released" or not proofs:
                raise Unexpected(f"no proof after the release; state {status['state']}")
            self._teller.say(
                f"{picture.path.name}: {status['state']}; {len(proofs)} proofs, one for each key "
                "by which a row can be named. One of each kind, checked without the service:"
            )
            for kind, proof in {proof["kind"]: proof for proof in proofs}.items():
                path = self._folder / f"proof-{kind}.json"
                path.write_text(json.dumps(proof))
                self._teller.say(_lines(unlist_run("verify-proof", path))[0])

    def _verify(self) -> None:
        with self._teller.step("Anybody of the staff checks the records"):
            self._teller.say(*_lines(self._house.manage("verify_release", "1")))
            head = self._house.manage("verify_audit").strip()
            self._teller.say(f"The audit log is one unbroken chain; its head: {head}")

    def _sum(self, before: Held, after: Held) -> None:
        self._house.stop()
        removed = before.rows - after.rows
        print(
            f"\nIn short: {before.rows} rows before, {after.rows} after, {removed} removed: "
            "all of them the portrait, none of them anything else."
        )


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def _rows(count: int) -> str:
    return "no row" if not count else "1 row" if count == 1 else f"{count} rows"
