"""The one thing about the package that is made: the README as a package index shows it.

There pictures and links into the repository lead nowhere, and the repository's address is not known
when the package is built; commands and words stay. All else stands in `pyproject.toml`.
"""

import re
from pathlib import Path

from setuptools import setup

OUTSIDE = r"(?!https?:)[^)\s]+"


def index_page(readme: str) -> str:
    """A README without relative pictures, and with the words of relative links in their place."""
    without_pictures = re.sub(rf" ?!\[[^\]]*\]\({OUTSIDE}\)", "", readme)
    return re.sub(rf"\[([^\]]+)\]\({OUTSIDE}\)", r"\1", without_pictures)


if __name__ == "__main__":
    setup(
        long_description=index_page((Path(__file__).parent / "README.md").read_text("utf-8")),
        long_description_content_type="text/markdown",
    )
