"""What tests of the server share: an app with tiny models, and a server in a process of its own."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
import pytest
from starlette.testclient import TestClient

from darklens.serve import Service, web_app

LIMIT = 3_000_000


@pytest.fixture(scope="session")
def api(tiny_model: Path, tiny_generator: Path) -> Iterator[TestClient]:
    """The app, without a server."""
    app = web_app(Service([tiny_model, tiny_generator]), limit=LIMIT, hosts=("testserver",))
    with TestClient(app) as client:
        yield client


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Good and bad files by name."""
    folder = tmp_path_factory.mktemp("uploads")
    rng = np.random.default_rng(0)
    counts = rng.poisson(30, (150, 150)).astype(np.uint16)
    np.save(folder / "good.npy", counts)
    np.save(folder / "small.npy", counts[:9, :9])
    np.save(folder / "stack.npy", rng.poisson(30, (3, 1, 150, 150)).astype(np.uint16))
    (folder / "text.npy").write_text("not an image\n" * 50)
    (folder / "empty.png").touch()
    return {path.name: path for path in folder.iterdir()}


def start_server(*words: str) -> tuple[subprocess.Popen[str], str]:
    """A server in a process, and its address."""
    command = [sys.executable, "-m", "darklens", "serve", "--port", "0", *words]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ)
    errors: IO[str] | None = process.stderr
    assert errors is not None
    line = errors.readline()
    found = re.match(r"darklens serves (http://\S+?)(/api)?; stop it with Ctrl-C\n", line)
    assert found is not None, line + errors.read()
    return process, found[1]


@pytest.fixture(scope="session")
def server(tiny_model: Path, lens_generator: Path, playing_generator: Path) -> Iterator[str]:
    """Address of a server with tiny models."""
    models = list(map(str, (tiny_model, lens_generator, playing_generator)))
    process, address = start_server("--models", repr(models))
    yield address
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 143
