"""The journal of one ``apply``: a shard's files change together or not at all, and work resumes.

In the work folder (``.unlist-apply`` in the folder that is written):

- ``run.json`` says which run this is; another run does not continue it.
- ``stage/`` holds the new files of the shard at hand until all are written and on disk.
- ``journal.json`` appears in one step when they are: from then on the shard *will* change.  It
  names every move and removal; doing them twice does no harm.
- ``done.jsonl`` gets the shard's record, and the journal goes away.

Killed before the journal appears, nothing has changed; killed after, ``recover`` finishes the move.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from unlist import durable
from unlist.files import WORK_FOLDER
from unlist.formats.refused import DatasetRefused

FORMAT: Final = "unlist-apply/1"


class RunMismatch(DatasetRefused):
    """The folder holds the unfinished work of another run; the message says which."""


class Journal:
    """The work folder of a run in ``target``.

    Args:
        target: the folder that is written: ``--out``, or the dataset itself.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self.folder = target / WORK_FOLDER
        self.stage = self.folder / "stage"
        self._run = self.folder / "run.json"
        self._journal = self.folder / "journal.json"
        self._done = self.folder / "done.jsonl"
        self._records: dict[str, Any] | None = None

    def recover(self) -> None:
        """Finish the change that a killed run had begun, if there is one."""
        if self._journal.is_file():
            self._carry_out(json.loads(self._journal.read_bytes()))

    def run(self) -> Mapping[str, Any] | None:
        """The run that the work folder belongs to; ``None`` where there is none."""
        if not self._run.is_file():
            return None
        facts: Mapping[str, Any] = json.loads(self._run.read_bytes())
        return facts

    def begin(self, facts: Mapping[str, Any]) -> None:
        """Start a run, or go on with it if it is the same; leftovers of unfinished shards go."""
        if self.run() != facts:
            self.discard()
            self.folder.mkdir(parents=True)
            durable.json_write(self._run, facts)
        shutil.rmtree(self.stage, ignore_errors=True)
        self.stage.mkdir()

    def done(self) -> Mapping[str, Any]:
        """The records of the shards that are done, by name; a line cut off by a crash goes."""
        if self._records is None:
            data = self._done.read_bytes() if self._done.is_file() else b""
            whole = data[: data.rfind(b"\n") + 1]
            if whole != data:
                durable.file_write(self._done, whole)
            records = map(json.loads, whole.splitlines())
            self._records = {record["name"]: record for record in records}
        return self._records

    def staged(self, number: int) -> Path:
        """Where the ``number``-th new file of the shard at hand is to be written."""
        return self.stage / f"{number:06d}"

    def commit(
        self, record: Mapping[str, Any], moves: Mapping[str, Path], removals: Sequence[str]
    ) -> None:
        """Change a shard: put staged files in their places, remove files, note it as done.

        Args:
            record: the shard's record, with its ``name``.
            moves: per file name in the target, the staged file that takes its place.
            removals: file names in the target that go.
        """
        for path in moves.values():
            durable.file_sync(path)
        durable.folder_sync(self.stage)
        entry = {
            "record": dict(record),
            "moves": {name: path.name for name, path in moves.items()},
            "removals": list(removals),
        }
        if moves or removals:
            durable.json_write(self._journal, entry)
        self._carry_out(entry)

    def discard(self) -> None:
        """Remove the work folder; the run ends with its first file."""
        self._records = None
        if self.folder.exists():
            self._run.unlink(missing_ok=True)
            durable.folder_sync(self.folder)
            shutil.rmtree(self.folder)
            durable.folder_sync(self._target)

    def _carry_out(self, entry: Mapping[str, Any]) -> None:
        touched = set()
        for name, staged in entry["moves"].items():
            final = self._inside(name)
            durable.folder_make(final.parent)
            new = self.stage / Path(staged).name
            if new.exists():  # else it was moved before a crash
                new.replace(final)
            touched.add(final.parent)
        for name in entry["removals"]:
            final = self._inside(name)
            final.unlink(missing_ok=True)
            touched.add(final.parent)
        for folder in touched:
            durable.folder_sync(folder)
        self._note(entry["record"])
        if self._journal.exists():
            self._journal.unlink()
            durable.folder_sync(self.folder)

    def _inside(self, name: str) -> Path:
        """A file of the target; a journal that came with a dataset may not reach out of it."""
        final = self._target / name
        if not final.parent.resolve().is_relative_to(self._target.resolve()):
            raise RunMismatch(
                f"The journal in {self.folder} names a file outside this folder, so it is not "
                "ours; delete that folder before going on."
            )
        return final

    def _note(self, record: dict[str, Any]) -> None:
        """Append a shard's record, once."""
        if record["name"] in self.done():
            return
        with self._done.open("ab") as file:
            file.write(json.dumps(record).encode() + b"\n")
            durable.stream_sync(file)
        if self._records is not None:
            self._records[record["name"]] = record
