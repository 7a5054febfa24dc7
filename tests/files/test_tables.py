"""Tables and figures that cannot be written, or would replace something, are refused at once."""

from pathlib import Path

import pytest

from darklens.errors import BadInput
from darklens.files.tables import check_outputs


def test_where_the_configuration_goes(tmp_path: Path) -> None:
    table, figures = tmp_path / "t.csv", tmp_path / "figures"
    assert check_outputs(None, None) is None
    assert check_outputs(table, figures) == tmp_path / "t.csv.config.yaml"
    assert check_outputs(None, figures) == figures / "config.yaml"
    assert list(tmp_path.iterdir()) == []


def test_wrong_places(tmp_path: Path) -> None:
    image = tmp_path / "images" / "1.npy"
    image.parent.mkdir()
    image.touch()
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    (tmp_path / "t.csv.config.yaml").write_text("mine: true")
    for output, figures, message in (
        (tmp_path / "t.jpg", None, "must end in"),
        (tmp_path / "t.csv", None, "was not written by darklens; rename it"),
        (None, image, "should be a folder"),
        (None, tmp_path / "link", "is a symbolic link"),
        (None, tmp_path / "images", "contains the input"),
        (None, tmp_path, "contains the input"),
    ):
        with pytest.raises(BadInput, match=message):
            check_outputs(output, figures, [image])
    assert (tmp_path / "t.csv.config.yaml").read_text() == "mine: true"
