"""`python -m scripts.sample FOLDER` writes the sample dataset there, unless it is there already."""

import sys
from pathlib import Path

from scripts.sample.dataset import write


def main() -> None:
    """Write the dataset into the folder that the one argument names."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m scripts.sample FOLDER")
    folder = Path(sys.argv[1])
    if (folder / "00000.parquet").exists():
        return
    whole = folder.with_name(f"{folder.name}.part")  # renamed when whole: a killed run starts anew
    made = write(whole)
    whole.rename(folder)
    print(f"Sample dataset: {made.rows} rows in {made.shards} shards, {folder}")


if __name__ == "__main__":
    main()
