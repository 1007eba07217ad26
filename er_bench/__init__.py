"""er-bench: an embodied-reasoning benchmark suite for vision-language models."""


def __getattr__(name: str) -> str:
    """Look the version up when it is asked for: reading package metadata is slow at start-up."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("er-bench")
    except PackageNotFoundError:  # a source tree that was never installed
        return "0+unknown"
