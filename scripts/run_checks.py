"""`make check`: all that needs no test run. All checks run, two at once; each fault is shown."""

import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
AT_ONCE = 2

CHECKS: tuple[tuple[str, list[str]], ...] = (
    ("types", [PYTHON, "-m", "mypy"]),  # takes longest
    ("formatting", [PYTHON, "-m", "ruff", "format", "--check", "--quiet", "."]),
    ("lint", [PYTHON, "-m", "ruff", "check", "--quiet", "."]),
    ("import layers", ["lint-imports", "--no-logo"]),
    ("Django's checks", [PYTHON, "manage.py", "check", "--fail-level", "WARNING"]),
    ("migrations in step", [PYTHON, "manage.py", "makemigrations", "--check", "--dry-run"]),
    ("translations in step", [PYTHON, "-m", "scripts.messages", "--check"]),
    (
        "docs in step",
        [PYTHON, "-m", "pytest", "-q", *sorted(map(str, ROOT.glob("tests/**/test_docs.py")))],
    ),
    ("Dockerfile", ["hadolint", "--failure-threshold", "info", "Dockerfile"]),
)


def main() -> int:
    """Run the checks; return the exit code."""
    with tempfile.TemporaryDirectory(prefix="unlist-check-") as folder:
        env = _environment(Path(folder))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            under_way = {name: pool.submit(_passes, name, words, env) for name, words in CHECKS}
        failed = [name for name, passed in under_way.items() if not passed.result()]
        if not _api_in_step(env, Path(folder)):
            failed.append("API description in step")
    print(f"\nmake check: {'failed: ' + ', '.join(failed) if failed else 'all in order'}")
    return int(bool(failed))


def _environment(folder: Path) -> dict[str, str]:
    """Return an environment whose data and secrets are thrown away with `folder`."""
    return {
        **os.environ,
        "PATH": f"{Path(PYTHON).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "UNLIST_DATA_DIR": str(folder / "data"),
        "UNLIST_SECRET_DIR": str(folder / "secrets"),
    }


def _passes(name: str, command: list[str], env: dict[str, str]) -> bool:
    began = time.monotonic()
    done = subprocess.run(command, check=False, cwd=ROOT, env=env, capture_output=True, text=True)
    good = done.returncode == 0
    said = f"{'ok  ' if good else 'FAIL'} {name} ({time.monotonic() - began:.1f} s)\n"
    print(said if good else said + done.stdout + done.stderr + "\n", end="", flush=True)
    return good


def _api_in_step(env: dict[str, str], folder: Path) -> bool:
    """Compare docs/openapi.yaml with what the code describes now."""
    made = folder / "openapi.yaml"
    command = [PYTHON, "manage.py", "spectacular", "--validate", "--fail-on-warn"]
    if not _passes("API description", [*command, "--file", str(made)], env):
        return False
    kept = ROOT / "docs" / "openapi.yaml"
    if kept.is_file() and kept.read_text() == made.read_text():
        return True
    print(
        "FAIL docs/openapi.yaml is not what the code describes: run "
        "`python manage.py spectacular --file docs/openapi.yaml`"
    )
    return False


if __name__ == "__main__":
    sys.exit(main())
