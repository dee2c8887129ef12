"""Which files belong to the tree: what git knows or would add."""

import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUTSIDE = {".git", "build", "out", "__pycache__"}


def files(root):
    """Paths relative to `root`, sorted. Without git: all but what builds leave behind."""
    root = pathlib.Path(root)
    try:
        # Only where `root` is the repository itself: git would also answer for a folder in one.
        listed = subprocess.run(
            ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others",
             "--exclude-standard"], capture_output=True, check=True).stdout if (
                 root / ".git").exists() else None
    except (OSError, subprocess.CalledProcessError):
        listed = None
    if listed is not None:
        names = [name for name in listed.decode("utf-8", "replace").split("\0") if name]
    else:
        names = [str(path.relative_to(root)) for path in root.rglob("*")
                 if not OUTSIDE.intersection(path.relative_to(root).parts)]
    return sorted(name for name in set(names) if (root / name).is_file())
