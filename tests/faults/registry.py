"""A registry on the host that can be told to fail: as much of the registry's HTTP API as a pull needs.

Source of the API: https://distribution.github.io/distribution/spec/api/.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    from rig.vps import Vps

PYTHON = "python:3.13.15-slim-trixie"
NAME = "nself-test-registry"
# Runs on the host: serves one image, with one more layer of eight random megabytes for each tag.
SERVER = r"""
import gzip, hashlib, http.server, io, json, os, pathlib, tarfile
MODE, BLOBS, TAGS = pathlib.Path("/tmp/mode"), {}, {}
saved = tarfile.open("/tmp/image.tar")
read = lambda name: saved.extractfile(name).read()
[facts] = json.loads(read("manifest.json"))

def blob(data):
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    BLOBS[digest] = data
    return {"digest": digest, "size": len(data)}

def manifest(tag):
    if tag not in TAGS:
        config, buffer, noise = json.loads(read(facts["Config"])), io.BytesIO(), os.urandom(8 << 20)
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            entry = tarfile.TarInfo("noise-" + tag)
            entry.size = len(noise)
            tar.addfile(entry, io.BytesIO(noise))
        layers = [*map(read, facts["Layers"]), buffer.getvalue()]
        config["rootfs"]["diff_ids"] = ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers]
        config.pop("history", None)
        kind = "application/vnd.docker."
        layered = [{"mediaType": kind + "image.rootfs.diff.tar.gzip", **blob(gzip.compress(one, 1))} for one in layers]
        first = {"mediaType": kind + "container.image.v1+json", **blob(json.dumps(config).encode())}
        TAGS[tag] = json.dumps({"schemaVersion": 2, "mediaType": kind + "distribution.manifest.v2+json",
                                "config": first, "layers": layered}).encode()
    return TAGS[tag]

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        mode, parts = MODE.read_text(), self.path.split("/")
        if mode in ("500", "429"):
            code = {"500": "UNKNOWN", "429": "TOOMANYREQUESTS"}[mode]
            return self.say(int(mode), json.dumps({"errors": [{"code": code, "message": "toomanyrequests: no"
                            if mode == "429" else "boom"}]}).encode(), "application/json")
        if "manifests" in parts:
            data = BLOBS.get(parts[-1]) or manifest(parts[-1])
            blob(data)
            return self.say(200, data, "application/vnd.docker.distribution.manifest.v2+json")
        if "blobs" in parts:
            data = BLOBS[parts[-1]]
            cut = mode == "dies" and len(data) > 4 << 20
            self.say(200, data, "application/octet-stream", data[:2 << 20] if cut else data)
            if cut:
                os._exit(1)
            return None
        return self.say(200, b"{}", "application/json")
    do_HEAD = do_GET
    def say(self, code, data, kind, body=None):
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Docker-Content-Digest", "sha256:" + hashlib.sha256(data).hexdigest())
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data if body is None else body)
            self.wfile.flush()

http.server.ThreadingHTTPServer(("127.0.0.1", 5000), Answer).serve_forever()
"""


class Registry:
    """The engine takes a registry at 127.0.0.1 without TLS."""

    def __init__(self, host: Vps, image: str, rig_images: Callable[..., object]) -> None:
        self.host = host
        self.image = image
        self.count = 0
        rig_images(PYTHON)

    def __enter__(self) -> Self:
        self.host.load(PYTHON)
        wait = f"import time, os\nwhile not os.path.exists('/tmp/mode'): time.sleep(0.1)\n{SERVER}"
        self.host.docker("create", "--name", NAME, "--network", "host", PYTHON, "python", "-c", wait)
        self.host.exec("sh", "-c", f"docker save {self.image} >/tmp/image.tar && docker cp /tmp/image.tar {NAME}:/tmp/")
        return self

    def __exit__(self, *_: object) -> None:
        self.host.docker("rm", "-fv", NAME)
        self.host.exec("rm", "-f", "/tmp/image.tar", "/tmp/mode")

    def be(self, mode: str) -> None:
        """Be ``well``, answer ``500`` or ``429``, be ``off``, or ``die`` in the middle of the first large layer."""
        self.host.exec("sh", "-c", f"printf %s {mode} >/tmp/mode && docker cp /tmp/mode {NAME}:/tmp/mode")
        self.host.docker("stop" if mode == "off" else "start", NAME)

    def fresh(self) -> str:
        """An image that the host has not got yet."""
        self.count += 1
        return f"127.0.0.1:5000/site:{self.count}"
