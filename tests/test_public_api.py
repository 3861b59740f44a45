"""The package ``mien``: its public names, and what it costs to import it."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import mien

PUBLIC = {
    "Animator": "mien.engine.animator.animator",
    "Face": "mien.engine.types",
    "Frame": "mien.engine.types",
    "Gains": "mien.engine.motion.gains",
    "MienError": "mien.engine.types",
    "ModelError": "mien.engine.types",
    "Motion": "mien.engine.motion.motion",
    "NoFaceError": "mien.engine.types",
    "Rendered": "mien.engine.types",
    "SinkError": "mien.engine.types",
    "SourceError": "mien.engine.types",
    "UsageError": "mien.engine.types",
    "load_avatar": "mien.portrait",
    "load_image": "mien.engine.utils.image_files",
    "load_recording": "mien.engine.motion.recording",
    "open_sink": "mien.streams.factory",
    "open_source": "mien.streams.factory",
    "save_recording": "mien.engine.motion.recording",
}
"""Every public name but the version, and where it is defined."""


def test_the_public_names_are_these_sorted_and_no_others() -> None:
    assert list(mien.__all__) == sorted([*PUBLIC, "__version__"])


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_is_the_one_of_its_module(name: str) -> None:
    assert getattr(mien, name) is getattr(import_module(PUBLIC[name]), name)
    assert getattr(mien, name).__module__ == PUBLIC[name]


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(mien.__file__).read_text("utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    seen |= {node.target.id for node in block.body if isinstance(node, ast.AnnAssign)}  # type: ignore[union-attr]
    assert seen == set(mien.__all__)


def test_a_shell_completes_the_public_names() -> None:
    assert set(mien.__all__) <= set(dir(mien))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = mien.nonsense


def test_the_version_is_the_installed_one() -> None:
    from importlib.metadata import version

    assert mien.__version__ == version("mien")


def test_the_types_are_declared() -> None:
    assert (Path(mien.__file__).parent / "py.typed").is_file()


def test_importing_mien_loads_no_library() -> None:
    code = (
        "import sys; before = set(sys.modules); import mien; dir(mien)\n"
        "loaded = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "loaded -= set(sys.stdlib_module_names)\n"
        "assert loaded == {'mien'}, loaded\n"
        "assert not [name for name in sys.modules if name.startswith('mien.')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_data_types_load_no_codec_and_no_runtime() -> None:
    code = (
        "import sys, mien; mien.Frame, mien.Face, mien.Rendered, mien.MienError\n"
        "assert not {'torch', 'openvino', 'cv2', 'av'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
