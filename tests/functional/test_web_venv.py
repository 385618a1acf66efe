"""The web process in a venv of requirements-web.txt alone: it starts, and torch is not there."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from scripts.house import ROOT

HEAVY = ("torch", "torchvision", "faiss", "open_clip", "timm", "imagehash", "pdqhash", "scipy")


@pytest.fixture(scope="module")
def web_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("web-venv")
    venv.create(home, with_pip=False)  # ours fills it, and compiles nothing that nobody imports
    python = home / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--quiet", "--no-input"]
    install = [*pip, "install", "--no-compile", "-r", "requirements-web.txt"]
    subprocess.run(install, check=True, cwd=ROOT)
    return python


@pytest.mark.timeout(600)
def test_the_site_starts_from_requirements_web_alone(web_python: Path, tmp_path: Path) -> None:
    program = (
        "import importlib.util as u, config.wsgi, django.urls as d;"
        "d.get_resolver().url_patterns;"
        f"there = [name for name in {HEAVY!r} if u.find_spec(name)];"
        "assert not there, there"
    )
    env = {
        "PATH": os.environ["PATH"],
        "UNLIST_DATA_DIR": str(tmp_path / "data"),
        "UNLIST_SECRET_DIR": str(tmp_path / "secrets"),
    }
    for words in (["-c", program], ["manage.py", "check"]):
        done = subprocess.run(
            [web_python, *words], check=False, cwd=ROOT, env=env, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr


def test_the_site_imports_nothing_heavy_even_where_it_is_installed(tmp_path: Path) -> None:
    program = (
        "import sys, config.wsgi, django.urls as d;"
        "d.get_resolver().url_patterns;"
        f"heavy = sorted(set({HEAVY!r}) & set(sys.modules));"
        "assert not heavy, heavy"
    )
    env = {
        **os.environ,
        "UNLIST_DATA_DIR": str(tmp_path / "data"),
        "UNLIST_SECRET_DIR": str(tmp_path / "secrets"),
    }
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=False,
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
