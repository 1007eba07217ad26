"""er-bench: an embodied-reasoning benchmark suite for vision-language models."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("er-bench")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"

__all__ = ["__version__"]
