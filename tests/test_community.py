"""What stands around the code: citation, security, templates, releases and hooks agree with the project."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import typer
import yaml

import resolvent
from resolvent.cli import app

PROJECT = Path(__file__).parent.parent
METADATA = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]
TEMPLATES = sorted((PROJECT / ".github/ISSUE_TEMPLATE").glob("*.yml"))
FORMS = [path for path in TEMPLATES if path.name != "config.yml"]
PAGES = ["SECURITY.md", "CODE_OF_CONDUCT.md", "RELEASING.md", "CONTRIBUTING.md", ".github/PULL_REQUEST_TEMPLATE.md"]


def load(path):
    return yaml.safe_load((PROJECT / path).read_text("utf-8"))


def test_the_citation_is_of_this_version_and_names_the_founding_paper():
    citation = load("CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= set(citation)  # which the format requires
    assert citation["version"] == METADATA["version"] == resolvent.__version__
    assert citation["license"] == METADATA["license"]
    assert citation["repository-code"] == METADATA["urls"]["Source"]
    (paper,) = citation["references"]
    assert {"type", "title", "authors"} <= set(paper)
    assert (paper["year"], paper["publisher"]["name"], paper["status"]) == (2022, "EasyChair", "preprint")
    assert f'"{paper["title"]}"' in (PROJECT / "docs/research/paper.md").read_text("utf-8")


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_an_issue_form_is_one_that_the_repository_accepts(path):
    form = load(path)
    assert {"name", "description", "body"} <= set(form)
    fields = [element for element in form["body"] if element["type"] != "markdown"]
    assert {element["type"] for element in form["body"]} <= {"markdown", "input", "textarea", "dropdown", "checkboxes"}
    assert len({field["id"] for field in fields}) == len(fields)
    assert all(field["attributes"]["label"] for field in fields)
    assert "resolvent --version" in path.read_text("utf-8")
    assert "resolvent diagnose" in path.read_text("utf-8")


def test_security_is_reported_in_private():
    address = f"{METADATA['urls']['Source']}/security/advisories/new"
    assert load(".github/ISSUE_TEMPLATE/config.yml")["contact_links"][0]["url"] == address
    for page in ("SECURITY.md", "CODE_OF_CONDUCT.md"):
        assert address in (PROJECT / page).read_text("utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_what_the_pages_name_exists(page):
    text = (PROJECT / page).read_text("utf-8")
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    assert not re.search(r"[\w.]@[\w-]+\.[a-z]{2,}", prose), "an e-mail address that nobody reads"
    for target in re.findall(r"\]\(([^):]+?)(?:#[^)]*)?\)", prose):
        assert ((PROJECT / page).parent / target).exists(), target
    targets = re.findall(r"^([\w.-]+):", (PROJECT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert set(re.findall(r"`make (\w+)", text)) <= set(targets)
    for path in re.findall(r"`((?:src|docs|benchmarks|\.ci)/[^`*]*)`", text):
        assert page == "CONTRIBUTING.md" or (PROJECT / path).exists(), path
    commands = typer.main.get_command(app).commands
    assert set(re.findall(r"`resolvent ([a-z]+)", text)) <= set(commands)


def test_links_to_addresses_of_the_project_are_to_the_one_place():
    texts = [(PROJECT / page).read_text("utf-8") for page in [*PAGES, "CITATION.cff", "README.md"]]
    texts += [path.read_text("utf-8") for path in TEMPLATES]
    found = {address for text in texts for address in re.findall(r"https://github\.com/([\w-]+/[\w-]+)", text)}
    assert found == {METADATA["urls"]["Source"].removeprefix("https://github.com/")}


def test_the_hooks_are_what_ci_runs_first():
    hooks = [hook for repository in load(".pre-commit-config.yaml")["repos"] for hook in repository["hooks"]]
    assert {repository["repo"] for repository in load(".pre-commit-config.yaml")["repos"]} == {"local"}
    assert all((hook["language"], hook["pass_filenames"]) == ("system", False) for hook in hooks)
    makefile = (PROJECT / "Makefile").read_text("utf-8")
    assert [hook["entry"] for hook in hooks] == ["make lint", "make types"]
    assert re.search(r"^test: lint types ", makefile, re.MULTILINE)
    assert re.search(r"^make test", (PROJECT / ".ci/run").read_text("utf-8"), re.MULTILINE)
    for hook in hooks:
        done = subprocess.run(
            [*hook["entry"].split(), "--dry-run", "--always-make", "VENV=nowhere"],
            cwd=PROJECT, capture_output=True, text=True, check=True,
        )  # fmt: skip
        ran = [line for line in done.stdout.splitlines() if re.match(r"nowhere/bin/(ruff|mypy)\b", line)]
        wanted = {"make lint": ["ruff check .", "ruff format --check ."], "make types": ["mypy"]}[hook["entry"]]
        assert ran == [f"nowhere/bin/{command}" for command in wanted]


def test_a_release_touches_all_places_of_the_version():
    text = (PROJECT / "RELEASING.md").read_text("utf-8")
    for place in ("pyproject.toml", "src/resolvent/__init__.py", "CITATION.cff"):
        assert place in text
        assert METADATA["version"] in (PROJECT / place).read_text("utf-8")
