"""`make demo`: one photo's way from the upload to the cleaned copy of the dataset, for real.

Site, worker, scheduler and Redis run as processes of their own; subject, maintainer and downstream
user speak to them over HTTP. An outcome other than the promised one ends the demo with exit code 1.
"""

import os
import shutil
import sys
from pathlib import Path

from scripts.demo.story import Story
from scripts.demo.tell import Teller
from scripts.house import House, HouseDown
from scripts.sample.photos import PhotoMissing
from scripts.second_factor import second_factor_of
from scripts.web import Unexpected

# Small groups, so that a few hundred rows show how a search fans out over several.
ENVIRONMENT = {"UNLIST_GROUP_ROWS": "80"}


def main() -> int:
    """Tell the story; return the exit code."""
    folder = (Path(os.environ.get("UNLIST_DATA_DIR") or "var") / "demo").absolute()
    shutil.rmtree(folder, ignore_errors=True)
    teller, house = Teller(), House(folder, ENVIRONMENT)
    print("Unlist: a photo is taken off a dataset, and nobody says who they are.")
    print(f"Everything is written under {folder}")
    try:
        Story(house, teller).tell()
    except (Unexpected, HouseDown, PhotoMissing) as fault:
        print(f"\nThe demo failed: {fault}\nWhat the service said: {house.log}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nThe demo was stopped.", file=sys.stderr)
        return 130
    finally:
        house.stop()
    _farewell(house, teller)
    return 0


def _farewell(house: House, teller: Teller) -> None:
    name, password = house.staff_login()
    print(f"\nDone in {teller.seconds():.0f} s. Every process has been stopped again.")
    print(f"To browse what the demo left:  make serve UNLIST_DATA_DIR={_short(house.data_dir)}")
    print("   then http://127.0.0.1:8000/ with a receipt from above,")
    print(f"   and http://127.0.0.1:8000/admin/ with {name} / {password}")
    app = second_factor_of(house.url, name)
    print(f"   and a code: an authenticator app makes it from the key {app.key},")
    print(f"   or a recovery code, each good once: {', '.join(app.recovery_codes[:2])}")
    print("To begin with a fresh service: make serve")


def _short(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


if __name__ == "__main__":
    sys.exit(main())
