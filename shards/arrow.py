"""pyarrow's compute functions, typed as anything: its stubs lack most of the types they take."""

from typing import Any, Final

import pyarrow.compute

pc: Final[Any] = pyarrow.compute
