"""Several edits after each other, as they happen to a picture that travels; and all of them."""

from typing import Final

from PIL import Image

from benchmarks.edits import Edit, Make, Scene, decoded, registry
from benchmarks.edits.capture import CAPTURE
from benchmarks.edits.geometry import GEOMETRY
from benchmarks.edits.layout import LAYOUT
from benchmarks.edits.overlay import OVERLAY
from benchmarks.edits.tone import EVERYDAY

_SINGLE: Final = EVERYDAY | GEOMETRY | OVERLAY | LAYOUT | CAPTURE


def chained(*names: str) -> Make:
    """Edits one after the other, each on what the one before gave."""

    def make(image: Image.Image, scene: Scene) -> Image.Image:
        for name in names:
            image = decoded(_SINGLE[name].make(image, scene))
        return image

    return make


COMBO: Final = registry(
    "combo",
    {
        "mirror_crop": chained("mirror", "crop_65", "contrast"),
        "crop_turn_gray": chained("crop_80", "turn_6_15", "black_white"),
        "meme_thumbnail": chained("meme", "thumbnail"),
        "filter_border_small": chained("app_filter", "border", "smaller"),
        "crop_sticker_low": chained("crop_65", "emoji", "jpeg_low"),
        "caption_screenshot": chained("caption_bar", "phone_feed"),
        "mirror_in_chat": chained("mirror", "color_cast", "chat"),
        "turn_stretch_noise": chained("turn_1_5", "stretch", "noise"),
        "crop_half_filter": chained("crop_50", "app_filter", "smaller"),
        "collage_low": chained("collage_2x2", "jpeg_low"),
        "watermark_perspective": chained("watermark", "perspective", "smaller"),
        "reposted": chained("smaller", "crop_90", "logo", "webp_low"),
    },
)
EDITS: Final[dict[str, Edit]] = _SINGLE | COMBO
