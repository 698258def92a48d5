"""Base images of our own, made from Debian's packages, the test's Node and the npm of this machine.

    debian() -> Path                 the archive of a bare Debian 12, kept in the test cache
    load_node(engine, folder)        localhost/debian:bookworm must be there; makes localhost/node:22
"""

import shutil
import subprocess
from pathlib import Path

from container.engines import PATH
from support import cache, node


def debian() -> Path:
    base = cache.root() / "chroot" / "bookworm-bare.tar"
    if not base.exists():
        base.parent.mkdir(exist_ok=True)
        subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", "--include=ca-certificates", "bookworm",
                        f"{base}.new.tar"], check=True, env={"PATH": PATH})  # fmt: skip
        Path(f"{base}.new.tar").rename(base)
    return base


# A Debian with one of the test's Node binaries, npm, and the certificates of this machine.
def load_node(engine, folder):
    npm = Path(subprocess.run(["npm", "root", "-g"], capture_output=True, text=True, check=True).stdout.strip()) / "npm"
    npm = npm if npm.exists() else Path("/usr/share/nodejs/npm")
    shutil.copytree(npm, folder / "npm", symlinks=True)
    shutil.copy(node.path(22), folder / "node")
    shutil.copy("/etc/ssl/certs/ca-certificates.crt", folder / "ca.crt")
    (folder / "Dockerfile").write_text(
        "FROM localhost/debian:bookworm\n"
        "COPY node /usr/local/bin/node\nCOPY npm /usr/local/lib/node_modules/npm\n"
        "COPY ca.crt /etc/ssl/certs/ca-certificates.crt\n"
        "ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt\n"
        "RUN apt-get update && apt-get install -y --no-install-recommends libstdc++6 && "
        "ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm && npm --version\n"
    )
    engine.build(folder, folder / "Dockerfile", "localhost/node:22")
