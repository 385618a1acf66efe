"""Real photographs that installed packages ship, so that the demo needs no download.

All are free to use: from scikit-image in the public domain or CC0 (the portrait of the astronaut
Eileen Collins is NASA's), from scikit-learn CC BY 2.0 (china.jpg by Daniel Buechele, flower.jpg by
vultilion), from matplotlib the US Navy's portrait of Grace Hopper, in the public domain.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path


class PhotoMissing(Exception):
    """A package that ships a sample photograph is not installed, or ships it no longer."""


@dataclass(frozen=True)
class Photo:
    """A photograph: the package that ships it, its file there, and what it shows."""

    package: str
    file: str
    caption: str

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return Path(self.file).name

    def read(self) -> bytes:
        """Return the file's bytes.

        Raises:
            PhotoMissing: with the command that brings the package.
        """
        spec = find_spec(self.package)  # finds the folder; the package itself is not imported
        folders = spec.submodule_search_locations if spec else None
        path = Path(next(iter(folders))) / self.file if folders else None
        if path is None or not path.is_file():
            raise PhotoMissing(
                f"the sample photo {self.file} of the package {self.package} is not here: "
                "install the tools with `pip install -r requirements-dev.txt`"
            )
        return path.read_bytes()


PORTRAIT = Photo("skimage", "data/astronaut.png", "Portrait of an astronaut in an orange suit")
HELD_OUT = Photo("matplotlib", "mpl-data/sample_data/grace_hopper.jpg", "Portrait of an admiral")

COVERED = (
    Photo("skimage", "data/chelsea.png", "Chelsea the cat, close up"),
    Photo("skimage", "data/coffee.png", "A cup of coffee with a spoon"),
    Photo("skimage", "data/rocket.jpg", "A rocket on its launch pad at dusk"),
    Photo("skimage", "data/retina.jpg", "The retina of an eye"),
    Photo("skimage", "data/hubble_deep_field.jpg", "The Hubble eXtreme Deep Field"),
    Photo("skimage", "data/ihc.png", "Stained tissue under the microscope"),
    Photo("skimage", "data/motorcycle_left.png", "A motorcycle in a garage"),
    Photo("skimage", "data/camera.png", "A photographer with his camera on a meadow"),
    Photo("skimage", "data/coins.png", "Greek coins from Pompeii"),
    Photo("skimage", "data/moon.png", "The surface of the moon"),
    Photo("skimage", "data/page.png", "A scanned page of a book"),
    Photo("skimage", "data/brick.png", "A brick wall"),
    Photo("skimage", "data/grass.png", "Grass seen from above"),
    Photo("skimage", "data/gravel.png", "Gravel seen from above"),
    Photo("sklearn", "datasets/images/china.jpg", "A temple roof in China"),
    Photo("sklearn", "datasets/images/flower.jpg", "A dahlia in bloom"),
)
