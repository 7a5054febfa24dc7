"""A server in a process of its own, called from Python."""

import socket
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from darklens.cli.main import main
from darklens.errors import BadInput
from darklens.evaluate import predict
from darklens.serve import Client, LensSettings
from darklens.serve.lens_settings import preset_content
from darklens.simulation import Simulator, parse_preset


@pytest.fixture(scope="module")
def client(server: str) -> Client:
    return Client(server)


def test_models(client: Client) -> None:
    names = [model["name"] for model in client.models()]
    assert {"tiny", "tiny-generator"} <= set(names)  # other tests add theirs
    assert names == sorted(names)


def test_classification_is_the_table_of_predict(
    client: Client, images: dict[str, Path], tiny_model: Path
) -> None:
    table = client.classify([images["good.npy"], images["text.npy"]], coverage=0.9)
    paths = [str(images["good.npy"]), str(images["text.npy"])]
    expected = predict(paths, model=str(tiny_model), quiet=True)
    expected["path"] = ["good.npy", "text.npy"]
    pd.testing.assert_frame_equal(table, expected, check_dtype=False)


def test_arrays_are_classified(client: Client, images: dict[str, Path]) -> None:
    array = np.load(images["good.npy"])
    table = client.classify(array)
    assert table["path"].tolist() == ["0.npy"]
    assert table["label"].tolist() == client.classify(images["good.npy"])["label"].tolist()


def test_a_simulation_is_that_of_the_simulator(client: Client) -> None:
    image = client.simulate(seed=3, einstein_radius=1.4)
    preset = parse_preset(preset_content(LensSettings(seed=3, einstein_radius=1.4)))
    np.testing.assert_array_equal(image, Simulator(preset).lens(0, seed=3).image)


def test_generation_and_fit(client: Client) -> None:
    assert client.generate(2, steps=2).shape == (2, 150, 150)
    lens = Simulator("model-1").lens(0, seed=8)
    found = client.fit(lens.image, preset="model-1")
    assert found["chi_square"] == pytest.approx(1, abs=0.1)


def test_refusals_are_the_words_of_the_server(
    client: Client, images: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=r"none of 1 images can be classified \(text.npy\)"):
        client.classify(images["text.npy"])
    with pytest.raises(BadInput, match="unknown key 'radius'"):
        client.simulate(radius=1)
    with pytest.raises(BadInput, match=r"none\.npy cannot be read: No such file"):
        client.classify(tmp_path / "none.npy")


def test_a_server_that_is_not_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(BadInput, match="cannot be reached"):
        Client(f"http://127.0.0.1:{port}").models()


def test_a_port_that_is_taken_is_refused(server: str, error_line, tiny_model: Path) -> None:
    port = server.rpartition(":")[2]
    assert main(["serve", "--port", port, "--models", f"['{tiny_model}']"]) == 2
    assert f"cannot listen on 127.0.0.1, port {port}: Address already in use" in error_line()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--port", "70000"], "--port must be from 0 to 65535, not 70000"),
        (["--waiting", "0"], "--waiting must be from 1 to 10000, not 0"),
        (["--upload-limit", "0"], "--upload-limit must be from 1"),
        (["--models", "[/nowhere/x]"], "there is no model '/nowhere/x'"),
        (["--host", "no such host"], "cannot listen on no such host"),
    ],
)
def test_bad_arguments_are_refused(words: list[str], message: str, error_line) -> None:
    assert main(["serve", *words]) == 2
    assert message in error_line()


def test_two_models_of_one_name_are_refused(tiny_model: Path, error_line) -> None:
    assert main(["serve", "--models", f"['{tiny_model}', '{tiny_model}']"]) == 2
    assert "two models have the name 'tiny'" in error_line()
