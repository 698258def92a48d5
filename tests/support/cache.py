"""Where downloads are kept between runs: $NODEINIT_TEST_CACHE, or ~/.cache/nodeinit-tests (root: /var/cache/nodeinit-tests).

    root() -> Path
    once(name, make)    the folder root()/name; when absent, make(folder) fills it, exactly once even if
                        several test runs ask at the same time; a half-made folder is never seen
"""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path


def root() -> Path:
    # Root's home is closed to others, and some tests run node as somebody else.
    home = Path("/var/cache") if os.geteuid() == 0 else Path.home() / ".cache"
    folder = Path(os.environ.get("NODEINIT_TEST_CACHE") or home / "nodeinit-tests")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def once(name: str, make) -> Path:
    wanted = root() / name
    if wanted.exists():
        return wanted
    wanted.parent.mkdir(parents=True, exist_ok=True)
    with open(root() / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if wanted.exists():  # another run made it while we waited
            return wanted
        scratch = Path(tempfile.mkdtemp(prefix=".making-", dir=root()))
        try:
            scratch.chmod(0o755)
            make(scratch)
            scratch.rename(wanted)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return wanted
