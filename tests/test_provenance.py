import platform
import shutil
import subprocess
from dataclasses import replace
from importlib.metadata import version

import pytest

import resolvent.provenance
from resolvent.provenance import provenance


def test_provenance_names_this_machine():
    origin = provenance()
    assert origin.python == platform.python_version()
    assert origin.libraries["numpy"] == version("numpy")
    assert origin.cores >= 1
    assert origin.cpu
    assert origin.machine in str(origin)
    assert ", 1 core, " in replace(origin, cores=1).machine


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_provenance_is_the_commit_of_its_own_repository(tmp_path, monkeypatch):
    def git(*arguments):
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    module, other = tmp_path / "provenance.py", tmp_path / "other.txt"
    module.write_text("1")
    other.write_text("1")
    monkeypatch.setattr(resolvent.provenance, "__file__", str(module))
    git("init")
    git("add", "other.txt")
    git("commit", "-m", "the user's own repository, into which the package is installed")
    assert provenance().code == version("resolvent")
    git("add", "provenance.py")
    git("commit", "-m", "the package's repository")
    commit = git("rev-parse", "--short=12", "HEAD")
    assert provenance().code == commit
    module.write_text("2")
    assert provenance().code == f"{commit}-dirty"
