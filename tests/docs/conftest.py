"""What tests of the pages share: their blocks of code, and programs run as a reader would."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

BLOCK = re.compile(r"^```(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def blocks() -> Callable[[Path], list[tuple[str, str]]]:
    """A function that gives the language and the text of each block of code on a page."""
    return lambda page: BLOCK.findall(page.read_text())


@pytest.fixture
def printed(tmp_path: Path) -> Callable[[str], str]:
    """A function that runs a program in an empty folder and gives what it prints."""

    def run(program: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            env=os.environ | {"PYTHONWARNINGS": "ignore"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
