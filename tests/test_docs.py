"""What the documents name is there: links, anchors, files of the code, modules."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(path for folder in (ROOT, ROOT / "docs") for path in folder.glob("*.md"))
CURRENT = [path for path in DOCUMENTS if path.name != "CHANGELOG.md"]
"""Documents of what is; the changelog also names what was."""

ROOMS = "cli|deploy|docs|engine|examples|export|mien|scripts|streams|tests|train"


def names(documents: list[Path]) -> list[str]:
    return [path.relative_to(ROOT).as_posix() for path in documents]


def anchors(document: Path) -> set[str]:
    """The anchors that GitHub gives a document's headings."""
    text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


def broken(document: Path) -> list[str]:
    found = []
    for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = document.parent / name if name else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            found.append(link)
    return found


@pytest.mark.parametrize("document", DOCUMENTS, ids=names(DOCUMENTS))
def test_links_lead_somewhere(document: Path) -> None:
    assert broken(document) == []


def test_a_broken_link_is_seen(tmp_path: Path) -> None:
    document = tmp_path / "a.md"
    document.write_text(
        "# One thing, two\n[x](#one-thing-two) [y](#three) [z](b.md) [w](https://host/none)\n",
        encoding="utf-8",
    )
    assert broken(document) == ["#three", "b.md"]


@pytest.mark.parametrize("document", CURRENT, ids=names(CURRENT))
def test_files_of_the_code_that_a_document_names_are_there(document: Path) -> None:
    paths = re.findall(rf"`((?:{ROOMS})/[\w./-]*)`", document.read_text(encoding="utf-8"))
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=names(DOCUMENTS))
def test_modules_that_a_document_names_are_there(document: Path) -> None:
    def exists(name: str) -> bool:
        path = ROOT.joinpath(*name.removeprefix("mien.").split("."))
        return path.is_dir() or path.with_suffix(".py").exists()

    modules = re.findall(r"-m (mien(?:\.\w+)+)", document.read_text(encoding="utf-8"))
    assert [name for name in modules if not exists(name)] == []


@pytest.mark.parametrize("document", CURRENT, ids=names(CURRENT))
def test_commands_that_a_document_shows_are_understood(document: Path) -> None:
    from mien.cli.commands import find_command
    from mien.cli.options.arguments import parse

    blocks = re.findall(r"```sh\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").replace(" && ", "\n").splitlines()
    for line in lines:
        words = shlex.split(line, comments=True)
        if words[:1] == ["mien"] and find_command(words[1:]) is None:
            parse(words[1:])
