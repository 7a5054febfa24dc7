"""What finds a browser for the tests: the script that `make test` calls, and the fixture."""

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "browser"
SKIPPED = "browser  none: the tests in a browser will be skipped ("
INSTALLS = """
echo "$@" >>"$(dirname "$0")/calls"
[ "$1" = update ] && touch "$(dirname "$0")/lists"
[ -e "$(dirname "$0")/lists" ] || exit 100
[ "$1" = update ] || { printf '#!/bin/sh\\n' >"$(dirname "$0")/chromium"
    chmod +x "$(dirname "$0")/chromium"; }
"""


class Machine:
    """A folder that is the whole PATH, with the few commands that a script may find there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("bash", "sh", "timeout", "dirname", "touch", "chmod", "sleep"):
            found = shutil.which(name)
            assert found is not None
            (folder / name).symlink_to(found)

    def add(self, name: str, text: str = "") -> Path:
        """A program of its own."""
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    def says(self, *words: str, **environment: str) -> str:
        """The one line that the script prints; it must not fail."""
        run = subprocess.run(
            [str(SCRIPT), *words],
            env={"PATH": str(self.folder), **environment},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert run.stderr == ""
        assert run.stdout.count("\n") == 1
        return run.stdout.removesuffix("\n")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path)
    made.add("id", "echo 0")
    return made


@pytest.mark.parametrize("name", ["chromium", "chromium-browser", "google-chrome"])
def test_a_browser_on_the_path(machine: Machine, name: str) -> None:
    path = machine.add(name)
    assert machine.says() == f"browser  {path}"


def test_a_named_browser_comes_first(machine: Machine) -> None:
    machine.add("chromium")
    path = machine.add("other")
    assert machine.says(DARKLENS_BROWSER=str(path)) == f"browser  {path}"


def test_a_named_program_that_is_none_is_said(machine: Machine) -> None:
    machine.add("apt-get", INSTALLS)
    said = machine.says(DARKLENS_BROWSER="none")
    assert said == f"{SKIPPED}DARKLENS_BROWSER is no program: none)"
    assert not (machine.folder / "calls").exists()


def test_root_gets_chromium(machine: Machine) -> None:
    """The lists of packages are read again when the first try fails."""
    machine.add("apt-get", INSTALLS)
    assert machine.says() == f"browser  {machine.folder / 'chromium'}"
    install = "install -y --no-install-recommends chromium"
    calls = (machine.folder / "calls").read_text().splitlines()
    assert calls == [install, "update", install]


def test_others_do_not_install(machine: Machine) -> None:
    machine.add("id", "echo 1000")
    machine.add("apt-get", INSTALLS)
    assert machine.says().startswith(f"{SKIPPED}apt-get install chromium, or set ")
    assert not (machine.folder / "calls").exists()


def test_no_apt_get(machine: Machine) -> None:
    assert machine.says().startswith(f"{SKIPPED}apt-get install chromium, or set ")


@pytest.mark.parametrize("text", ["echo no network >&2; exit 100", "sleep 30"])
def test_an_installation_that_fails_or_hangs(machine: Machine, text: str) -> None:
    machine.add("apt-get", text)
    assert machine.says("1").startswith(f"{SKIPPED}apt-get could not install chromium; ")


def test_a_browser_that_cannot_start_skips_its_tests(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DARKLENS_BROWSER", str(Machine(tmp_path).add("chromium", "exit 1")))
    with pytest.raises(pytest.skip.Exception, match=r"cannot be started: .*\S"):
        request.getfixturevalue("browser")
