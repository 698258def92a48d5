"""A registry of npm packages on loopback, which has the given tarballs and nothing else.

    with Registry(files) as registry: npm install --registry registry.url

What it does not have is 404, as with a public one.
"""

import base64
import hashlib
import http.server
import json
import tarfile
import threading
import urllib.parse
from pathlib import Path


class Registry:
    def __init__(self, files):
        self._tarballs = {Path(file).name: Path(file).read_bytes() for file in files}
        self._manifests = {}
        for file in files:
            with tarfile.open(file) as packed:
                manifest = json.load(packed.extractfile("package/package.json"))
            self._manifests[manifest["name"]] = (manifest, Path(file).name)
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                registry._answer(self)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, request):
        path = urllib.parse.unquote(urllib.parse.urlsplit(request.path).path).lstrip("/")
        if path.startswith("tarballs/"):
            body, kind = self._tarballs.get(path.removeprefix("tarballs/")), "application/octet-stream"
        else:
            body, kind = self._package(path), "application/json"
        request.send_response(200 if body else 404)
        body = body or b'{"error": "not found"}'
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    # What the public registry calls a packument; one version.
    def _package(self, name):
        if name not in self._manifests:
            return None
        manifest, file = self._manifests[name]
        digest = base64.b64encode(hashlib.sha512(self._tarballs[file]).digest()).decode()
        dist = {
            "tarball": f"{self.url}tarballs/{file}",
            "integrity": f"sha512-{digest}",
            "shasum": hashlib.sha1(self._tarballs[file]).hexdigest(),
        }
        version = manifest["version"]
        whole = {"name": name, "dist-tags": {"latest": version}, "versions": {version: manifest | {"dist": dist}},
                 "time": {version: "2000-01-01T00:00:00.000Z"}}  # fmt: skip
        return json.dumps(whole).encode()
