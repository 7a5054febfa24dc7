"""The HTTP API: answers, refusals, and that a refusal harms nobody else."""

import base64
import io
import json
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from starlette.testclient import TestClient

from darklens.data import read_plane
from darklens.evaluate import predict
from darklens.hub import load_generator
from darklens.serve import LensSettings, Service, web_app
from darklens.serve.lens_settings import preset_content
from darklens.serve.planes import array_of, received_plane
from darklens.simulation import Simulator, parse_preset


def _post(api: TestClient, path: str, **content: Any) -> Any:
    answer = api.post(f"/api/{path}", json=content)
    assert answer.status_code == 200, answer.text
    return answer.json()


def _classify(api: TestClient, *paths: Path, **fields: str) -> Any:
    files = [("files", (path.name, path.read_bytes())) for path in paths]
    return api.post("/api/classify", files=files, data=fields)


def _line(answer: Any, status: int) -> str:
    """The message of a refusal, which is one line."""
    assert answer.status_code == status, answer.text
    assert list(answer.json()) == ["error"]
    text: str = answer.json()["error"]
    assert "\n" not in text
    return text


def test_health(api: TestClient) -> None:
    answer = api.get("/api/health").json()
    assert answer["upload_limit"] == 3
    assert answer["version"]


def test_models_are_those_of_the_server(api: TestClient) -> None:
    found = api.get("/api/models").json()
    kinds = {model["name"]: model["kind"] for model in found["models"]}
    assert kinds == {"tiny": "classifier", "tiny-generator": "generator"}
    assert found["models"][0]["scores"][0]["data"] == "guesses"
    assert "galaxy" in [preset["name"] for preset in found["presets"]]


def test_answers_are_those_of_predict(
    api: TestClient, images: dict[str, Path], tiny_model: Path
) -> None:
    paths = [images[name] for name in ("good.npy", "stack.npy", "text.npy")]
    answer = _classify(api, *paths).json()
    expected = predict([str(path) for path in paths], model=str(tiny_model), quiet=True)
    expected["path"] = [Path(path).name for path in expected["path"]]
    table = pd.read_parquet(io.BytesIO(base64.b64decode(answer["parquet"])))
    pd.testing.assert_frame_equal(table, expected, check_dtype=False)
    text = pd.read_csv(io.StringIO(answer["csv"]))
    assert text["p_no"].tolist() == pytest.approx(expected["p_no"].tolist(), nan_ok=True)
    for row, (_, wanted) in zip(answer["rows"], expected.iterrows(), strict=True):
        assert row["name"] == wanted["path"]
        if row["error"]:
            assert row["error"] == wanted["error"]
            assert row["label"] is None
            continue
        assert row["label"] == wanted["label"]
        assert row["probabilities"]["vort"] == wanted["p_vort"]
        assert array_of(received_plane(row["image"])).shape == (150, 150)
    assert answer["rows"][-1]["error"].startswith("not a .npy file")


def test_tables_alone(api: TestClient, images: dict[str, Path]) -> None:
    answer = _classify(api, images["good.npy"], format="csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert pd.read_csv(io.StringIO(answer.text))["path"].tolist() == ["good.npy"]
    answer = _classify(api, images["good.npy"], format="parquet")
    assert pd.read_parquet(io.BytesIO(answer.content))["path"].tolist() == ["good.npy"]


def test_a_model_that_fits_shows_how(residual_model: Path) -> None:
    lens = Simulator("common-test-1").lens(1, seed=5)
    memory = io.BytesIO()
    np.save(memory, lens.image)
    with TestClient(web_app(Service([residual_model]))) as api:
        answer = api.post("/api/classify", files=[("files", ("a.npy", memory.getvalue()))]).json()
    (row,) = answer["rows"]
    assert row["columns"]["fit"] == "ok"
    assert row["columns"]["chi_square"] == pytest.approx(1, abs=0.2)
    assert row["panels"][0]["title"] == "image"
    limits = [panel["limit"] for panel in row["panels"]]
    assert limits[0] is None
    assert 5.0 in limits


def test_an_archive(api: TestClient, images: dict[str, Path], tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.write(images["good.npy"], "no/1.npy")
        archive.write(images["empty.png"], "no/2.png")
    answer = _classify(api, tmp_path / "all.zip").json()
    assert [(row["name"], row["error"]) for row in answer["rows"]] == [
        ("no/1.npy", None),
        ("no/2.png", "the file is empty"),
    ]


@pytest.mark.parametrize("name", ["text.npy", "empty.png", "small.npy"])
def test_a_bad_upload_is_refused_and_the_server_goes_on(
    name: str, api: TestClient, images: dict[str, Path]
) -> None:
    assert f"({name})" in _line(_classify(api, images[name]), 422)
    assert _classify(api, images["good.npy"]).status_code == 200


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"model": "../../etc/passwd"}, "this server has no model '../../etc/passwd'"),
        ({"model": "tiny-generator"}, "is a generator, not a classifier"),
        ({"coverage": "2"}, "coverage must be below 1"),
        ({"coverage": "much"}, "coverage must be a number, not 'much'"),
        ({"colour": "red"}, "unknown key 'colour'"),
        ({"format": "xls"}, "format must be 'json', 'csv' or 'parquet'"),
    ],
)
def test_bad_fields_are_refused(
    fields: dict[str, str], message: str, api: TestClient, images: dict[str, Path]
) -> None:
    assert message in _line(_classify(api, images["good.npy"], **fields), 422)


def test_requests_that_are_none_are_refused(api: TestClient) -> None:
    assert "no file" in _line(api.post("/api/classify"), 400)
    form = {"content-type": "multipart/form-data; boundary=x"}
    assert _line(api.post("/api/classify", content=b"--y", headers=form), 400)
    assert "not JSON" in _line(api.post("/api/simulate", content=b"{"), 400)
    assert "not JSON" in _line(api.post("/api/simulate", content=b"[" * 10**5), 400)
    assert "must be a mapping" in _line(api.post("/api/simulate", json=[1]), 422)
    assert "nothing at this address" in _line(api.get("/api/other"), 404)
    assert "another method" in _line(api.get("/api/classify"), 405)


def test_a_large_upload_is_refused(api: TestClient, images: dict[str, Path]) -> None:
    big = bytes(3_100_000)
    answer = api.post("/api/classify", files=[("files", ("a.npy", big))])
    assert _line(answer, 413) == "the upload is larger than 3 MB"
    chunks = (big[:100_000] for _ in range(40))  # without a Content-Length
    assert _line(api.post("/api/simulate", content=chunks), 413)
    assert _classify(api, images["good.npy"]).status_code == 200


def test_other_sites_are_refused(api: TestClient) -> None:
    assert "other sites" in _line(api.get("/api/health", headers={"Origin": "http://evil"}), 403)
    assert "own name" in _line(api.get("/api/health", headers={"Host": "evil"}), 403)
    own = {"Origin": "http://testserver"}
    assert api.get("/api/health", headers=own).status_code == 200


def test_a_full_queue_is_refused(tiny_model: Path) -> None:
    from threading import Event

    service, go = Service([tiny_model], waiting=1), Event()
    with TestClient(web_app(service)) as api:
        running = service.short.submit(go.wait)
        answer = api.post("/api/simulate", json={})
        assert "the server is busy" in _line(answer, 503)
        assert answer.headers["retry-after"]
        go.set()
        running.result(5)
        assert api.post("/api/simulate", json={}).status_code == 200


def test_an_unexpected_error_is_one_line_and_stops_nobody(
    api: TestClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("darklens.serve.simulating.simulate_lens", lambda *a, **k: 1 // 0)
        assert _line(api.post("/api/simulate", json={}), 500).startswith("unexpected ZeroDivision")
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert api.post("/api/simulate", json={}).status_code == 200


def test_a_simulated_lens_is_that_of_the_simulator(api: TestClient) -> None:
    settings = {"seed": 3, "substructure": "vort", "shear": 0.2}
    found = _post(api, "simulate", settings=settings, overlays=True)
    preset = parse_preset(preset_content(LensSettings(**settings)))
    image = Simulator(preset).lens(0, seed=3).image
    np.testing.assert_array_equal(array_of(received_plane(found["image"])), image[0])
    assert found["peak"] == image.max()
    (line,) = found["perturbers"]
    assert line["kind"] == "line"
    radii = np.hypot(*np.array(found["critical"][0]).T)
    assert radii.mean() == pytest.approx(LensSettings().einstein_radius, rel=0.3)
    assert len(found["caustics"]) == len(found["critical"])


def test_without_overlays_there_are_none(api: TestClient) -> None:
    found = _post(api, "simulate")
    assert (found["critical"], found["caustics"], found["perturbers"]) == ([], [], [])


@pytest.mark.parametrize("kind", ["fits", "npy", "yaml", "py"])
def test_files_of_a_lens(kind: str, api: TestClient, tmp_path: Path) -> None:
    expected = Simulator(parse_preset(preset_content(LensSettings(seed=2)))).lens(0, seed=2).image
    answer = api.post("/api/simulate", json={"settings": {"seed": 2}, "format": kind})
    assert f'filename="lens.{kind}"' in answer.headers["content-disposition"]
    path = tmp_path / f"lens.{kind}"
    path.write_bytes(answer.content)
    if kind == "fits":
        np.testing.assert_array_equal(fits.getdata(path), expected[0])
        assert read_plane(path).pixel_scale == pytest.approx(0.05)
    elif kind == "npy":
        np.testing.assert_array_equal(np.load(path), expected)
    elif kind == "yaml":
        np.testing.assert_array_equal(Simulator(path).lens(0, seed=2).image, expected)
    else:
        names: dict[str, Any] = {}
        exec(answer.text, names)
        np.testing.assert_array_equal(names["image"], expected)


def test_impossible_lenses_are_refused(api: TestClient) -> None:
    settings = {"source_brightness": 5000, "exposure": 100}
    answer = api.post("/api/simulate", json={"settings": settings})
    assert "more than 65535" in _line(answer, 422)
    answer = api.post("/api/simulate", json={"settings": {"sheer": 0.1}})
    assert "did you mean 'shear'?" in _line(answer, 422)


def test_drawn_lenses_are_those_of_the_preset(api: TestClient) -> None:
    found = _post(api, "draw", preset="model-1", count=3, seed=9)
    lenses = Simulator("model-1").simulate(3, seed=9)
    assert found["classes"] == ["no", "sphere", "vort"]
    np.testing.assert_array_equal(array_of(received_plane(found["images"][2])), lenses.images[2, 0])
    assert "no preset" in _line(api.post("/api/draw", json={"preset": "/etc/passwd"}), 422)


def test_generated_lenses_are_those_of_the_model(api: TestClient, tiny_generator: Path) -> None:
    found = _post(api, "generate", count=3, start=2, seed=4, steps=2)
    made = load_generator(tiny_generator).generate(5, seed=4, steps=2)
    images = [array_of(received_plane(plane)) for plane in found["images"]]
    np.testing.assert_array_equal(images, made.images[2:, 0].astype(np.float32))
    assert found["classes"] == ["vort", "no", "sphere"]
    assert "no class 'x'" in _line(api.post("/api/generate", json={"label": "x"}), 422)
    assert "at most 64" in _line(api.post("/api/generate", json={"count": 65}), 422)


def test_a_fit_is_that_of_the_verb(api: TestClient, tmp_path: Path) -> None:
    from darklens.evaluate.fit import fit

    lens = Simulator("model-1").lens(0, seed=8)
    path = tmp_path / "lens.npy"
    np.save(path, lens.image)
    files = [("files", ("lens.npy", path.read_bytes()))]
    found = api.post("/api/fit", files=files, data={"preset": "model-1"}).json()
    expected = fit([str(path)], preset="model-1", quiet=True).iloc[0]
    assert found["converged"]
    # the verb fits on one thread of the linear algebra, which changes last digits
    same = partial(pytest.approx, rel=1e-9)
    assert found["chi_square"] == same(expected["chi_square"])
    values = {one["name"]: (one["value"], one["error"]) for one in found["parameters"]}
    assert values["source_x"] == same((expected["source_x"], expected["source_x_error"]))
    assert values["source_x"][0] == pytest.approx(lens.parameters["source_x"], abs=0.01)
    assert next(panel["title"] for panel in found["panels"]) == "data"
    assert found["critical"]
    assert array_of(received_plane(found["source"]["plane"])).max() > 0
    text = api.post("/api/fit", files=files, data={"preset": "model-1", "format": "csv"}).text
    assert pd.read_csv(io.StringIO(text))["path"].tolist() == ["lens.npy"]


def test_fits_that_cannot_be_are_refused(api: TestClient, images: dict[str, Path]) -> None:
    def fit(name: str, **fields: str) -> Any:
        files = [("files", (name, images[name].read_bytes()))]
        return api.post("/api/fit", files=files, data=fields)

    assert "text.npy cannot be fitted: not a .npy file" in _line(fit("text.npy"), 422)
    assert "holds 3 images" in _line(fit("stack.npy"), 422)
    assert "there is no preset 'x'" in _line(fit("good.npy", preset="x"), 422)
    assert "omit --size" in _line(fit("good.npy", size="50"), 422)
    answer = fit("good.npy", preset="galaxy")
    assert "does not give its pixel scale" in _line(answer, 422)


def test_the_page_and_nothing_beside_it(api: TestClient) -> None:
    page = api.get("/")
    assert "<title>darklens</title>" in page.text
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert api.get("/page/style.css").headers["content-type"].startswith("text/css")
    assert api.get("/page/../app.py").status_code == 404
    assert api.get("/page/%2e%2e/app.py").status_code == 404


def test_the_api_alone(tiny_model: Path) -> None:
    with TestClient(web_app(Service([tiny_model]), api_only=True)) as api:
        assert api.get("/").status_code == 404
        assert api.get("/api/health").status_code == 200


def test_the_description_is_what_the_server_does(api: TestClient) -> None:
    found = api.get("/api/openapi.json").json()
    paths = ["health", "models", "classify", "fit", "simulate", "draw", "generate"]
    assert list(found["paths"]) == [f"/api/{name}" for name in paths]
    text = json.dumps(found)
    names = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert names <= set(found["components"]["schemas"])
    settings = found["components"]["schemas"]["LensSettings"]["properties"]
    assert settings["shear"] == {
        "default": 0.1,
        "maximum": 0.4,
        "minimum": 0,
        "title": "Shear",
        "type": "number",
    }
    form = found["paths"]["/api/classify"]["post"]["requestBody"]["content"]["multipart/form-data"]
    assert "files" in json.dumps(form)
