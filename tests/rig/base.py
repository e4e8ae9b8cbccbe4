"""The one layer under every image of the rig: a small Debian, made from the archive this machine already uses."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from rig.shell import RigError, need, run

SUITE = "trixie"
FOLDER = Path(__file__).parent / "images" / "base"
SYSTEM_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
# Where the images keep what the machine trusts: a path no package owns, or installing ca-certificates would undo it.
CERTIFICATES = "/usr/local/share/host/ca.crt"
# An expired or undated mirror, and a proxy, are facts of the machine's network: they hold in the images too.
CARRIED = ("Acquire::Check-Valid-Until ", "Acquire::Check-Date ", "Acquire::http::Proxy ", "Acquire::https::Proxy ")


def build_base(tag: str) -> None:
    """Bootstrap Debian into the local engine as ``tag``; needs root and Debian's package sources on this machine."""
    need("mmdebstrap", "mmdebstrap")
    with tempfile.TemporaryDirectory(prefix="nself-rig-") as scratch:
        work = Path(scratch)
        tar = work / "base.tar"
        overlay = _configuration(work / "overlay")
        sources = "\n".join(_sources())
        run(*_bootstrap(tar, overlay), sources)
        run("docker", "import", "--change", 'CMD ["bash"]', "--change", "ENV DEBIAN_FRONTEND=noninteractive",
            "--change", "LABEL dev.nself.rig=base", str(tar), tag)  # fmt: skip


def _bootstrap(tar: Path, overlay: Path) -> tuple[str, ...]:
    # --dpkgopt=path-exclude would filter every archive in Perl, 13 s: the hook deletes afterwards instead.
    return (
        "mmdebstrap", "--quiet", "--variant=apt", "--include=passwd", "--dpkgopt=force-unsafe-io",
        "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
        '--aptopt=Acquire::GzipIndexes "true"', '--aptopt=Acquire::Languages "none"',
        '--aptopt=Dir::Cache::pkgcache ""', '--aptopt=Dir::Cache::srcpkgcache ""',
        "--skip=cleanup/apt/lists",
        f'--customize-hook=sh {FOLDER / "customize.sh"} "$1"',
        f'--customize-hook=cp -a {overlay}/. "$1/"',
        SUITE, str(tar),
    )  # fmt: skip


def _sources() -> tuple[str, ...]:
    # Not at the top: a rig whose images are all there must not wait for the SDK's own imports.
    from nself_sdk.docker.engine import INDEX_FORMAT, newer_sources, parsed_distribution

    codename = parsed_distribution(Path("/etc/os-release").read_text(encoding="utf-8")).codename
    targets = run("apt-get", "indextargets", "--format", INDEX_FORMAT, "Created-By: Packages", "Origin: Debian")
    sources = newer_sources(targets, codename, SUITE)
    if not sources:
        raise RigError(f"apt on this machine has no Debian sources for {codename!r} to derive those of {SUITE} from")
    return sources


def _configuration(root: Path) -> Path:
    """Write what apt, pip and npm ask on this machine, as files to lay over the image: same index, same trust."""
    # The pip of this Python: a machine may have no other, and its settings are the same.
    pip_says = _setting(sys.executable, "-m", "pip", "config", "list")
    given = pip_setting(pip_says, "cert") or _setting("npm", "config", "get", "cafile")
    certificates = Path(given or os.environ.get("SSL_CERT_FILE") or SYSTEM_CERTIFICATES)
    index = pip_setting(pip_says, "index-url")
    registry = _setting("npm", "config", "get", "registry")
    if certificates.is_file():
        _write(root, CERTIFICATES, certificates.read_text(encoding="utf-8"))
    trust = CERTIFICATES if certificates.is_file() else ""
    carried = [line for line in run("apt-config", "dump").splitlines() if line.startswith(CARRIED)]
    _write(root, "/etc/apt/apt.conf.d/91host", "".join(f"{line}\n" for line in carried))
    pip = ["[global]", "disable-pip-version-check = true", "root-user-action = ignore"]
    npm = ["fund=false", "audit=false", "update-notifier=false"]
    pip += [f"cert = {trust}"] * bool(trust) + [f"index-url = {index}"] * bool(index)
    npm += [f"cafile={trust}"] * bool(trust) + [f"registry={registry}"] * registry.startswith("http")
    _write(root, "/etc/pip.conf", "\n".join(pip) + "\n")
    _write(root, "/usr/local/etc/npmrc", "\n".join(npm) + "\n")
    return root


def pip_setting(listed: str, name: str) -> str:
    """Return one value out of `pip config list`: of the environment, or else of a file."""
    for scope in (":env:", "global", "install", "download"):
        for line in listed.splitlines():
            key, _, value = line.partition("=")
            if key == f"{scope}.{name}":
                return value.strip("'\"")
    return ""


def _setting(*command: str) -> str:
    try:
        answer = run(*command).strip()
    except RigError:
        return ""  # the program is not here, or it has no such setting: then the images need none either
    return "" if answer in {"null", "undefined"} else answer


def _write(root: Path, path: str, text: str) -> None:
    target = root / path.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
