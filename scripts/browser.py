"""Find a Chromium for the browser tests, or bring one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

# The sandbox needs rights that root and containers lack; the rest keeps Chromium from calling home.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


class BrowserMissing(Exception):
    """No Chromium is here and none could be installed."""


def browser_find() -> str | None:
    """Return the path of a Chromium: the system's, else Playwright's own; None if there is none."""
    for name in _NAMES:
        if path := shutil.which(name):
            return path
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only where asked for

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def browser_bring() -> str:
    """Return the path of a Chromium, after installing one if need be.

    Raises:
        BrowserMissing: with the commands that would mend it.
    """
    found = browser_find()
    for command in () if found else _installers():
        print(f"Chromium is missing; running: {' '.join(command)}", flush=True)
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        done = subprocess.run(
            command, check=False, stdin=subprocess.DEVNULL, env={**os.environ, **quiet}
        )
        if done.returncode == 0 and (found := browser_find()):
            break
    if not found:
        raise BrowserMissing(
            "the browser tests need Chromium and it could not be installed: run "
            "`apt-get install chromium` as root, or `.venv/bin/playwright install chromium`"
        )
    return found


def _installers() -> list[list[str]]:
    apt = shutil.which("apt-get")
    ways: list[list[str]] = []
    if apt and os.geteuid() == 0:
        ways += [[apt, "update", "-qq"]]
        ways += [[apt, "install", "-y", "-qq", "--no-install-recommends", "chromium"]]
    elif apt and shutil.which("sudo"):
        ways += [["sudo", "-n", apt, "install", "-y", "-qq", "chromium"]]
    return [*ways, [sys.executable, "-m", "playwright", "install", "chromium"]]
