"""The lines of curl and Python on the page "In the browser" do what it says."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "serve.md").read_text()
CURL = re.findall(r"^curl .*$", PAGE, re.MULTILINE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files that the lines name."""
    from darklens.simulation import Simulator

    np.save(tmp_path / "lens.npy", Simulator("common-test-1").lens(0, seed=1).image)
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        archive.write(tmp_path / "lens.npy", "more/1.npy")
    return tmp_path


def test_lines_of_curl(server: str, folder: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("there is no curl")
    assert len(CURL) == 4
    for line in CURL:
        command = line.replace("http://127.0.0.1:7860", server).replace("curl ", "curl -sSf ", 1)
        subprocess.run(command, shell=True, cwd=folder, check=True, capture_output=True)
    assert fits.getdata(folder / "lens.fits").shape == (150, 150)
    table = CURL[1].replace("http://127.0.0.1:7860", server)
    run = subprocess.run(table + " -o table.csv", shell=True, cwd=folder, check=True)
    assert run.returncode == 0
    assert pd.read_csv(folder / "table.csv")["path"].tolist() == ["lens.npy", "more/1.npy"]


def test_lines_of_python(server: str, folder: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", code.replace("http://127.0.0.1:7860", server)],
        cwd=folder,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "lens.npy" in done.stdout


def test_every_path_is_on_the_page() -> None:
    from darklens.serve.endpoints import ENDPOINTS

    for endpoint in ENDPOINTS:
        assert f"| `{endpoint.method} {endpoint.path}` |" in PAGE
        if endpoint.request is not None:
            (row,) = [line for line in PAGE.splitlines() if f"`POST {endpoint.path}`" in line]
            for name in endpoint.request.__dataclass_fields__:
                assert f"`{name}`" in row
