"""Frontends: on the host or built files, and in which environments."""

from __future__ import annotations

import http.server
import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest

from nself_sdk import DeclarationError, Environment, FrontendApp, Project, render
from nself_sdk.testing import NselfStack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HASHED = "public, max-age=31536000, immutable"


def project(**fields: str) -> Project:
    return Project("shop").add(FrontendApp("web", port=3000, route="app", **fields))


def nginx_of(project: Project, environment: Environment | str) -> str:
    configs = render(project, environment).configs
    return next(config.content or "" for name, config in configs.items() if name.startswith("nginx.conf"))


def test_in_dev_and_staging_the_edge_asks_the_host() -> None:
    for name, host in (("dev", "app.localhost"), ("staging", "app.staging.example.com")):
        file = render(project(), name)
        assert set(file.services) == {"nginx"}
        assert file.services["nginx"].extra_hosts == ["host.docker.internal:host-gateway"]
        assert f"server_name {host};" in nginx_of(project(), name)
        assert "proxy_pass http://host.docker.internal:3000;" in nginx_of(project(), name)


def test_with_built_files_staging_serves_an_image_of_them_and_dev_still_asks_the_host() -> None:
    with_files = project(dist="frontend/web/dist")
    assert set(render(with_files, "dev").services) == {"nginx"}
    file = render(with_files, "staging")
    assert file.services["web"].build.context == "./frontend/web/dist"
    assert file.services["web"].volumes is None
    assert file.services["nginx"].extra_hosts is None
    assert "host.docker.internal" not in nginx_of(with_files, "staging")


def test_prod_has_no_frontends_unless_they_are_asked_for() -> None:
    prod = Environment.named("prod")
    assert "app.example.com" not in nginx_of(project(), prod)
    assert "server_name app.example.com;" in nginx_of(project(), prod.replace(frontends=True))
    built = project(dist="dist")
    assert set(render(built, prod).services) == {"nginx"}
    assert set(render(built, prod.replace(frontends=True)).services) == {"nginx", "web"}


def test_they_can_be_left_out_of_staging() -> None:
    assert "app." not in nginx_of(project(), Environment.named("staging", frontends=False))


@pytest.mark.parametrize("dist", ["/srv/dist", "../dist", "a/../../b", "dist;rm"])
def test_built_files_are_inside_the_project(dist: str) -> None:
    with pytest.raises(DeclarationError, match="dist"):
        project(dist=dist)


@pytest.fixture(scope="module")
def stack(rig_images: Callable[..., object], tmp_path_factory: pytest.TempPathFactory) -> Iterator[NselfStack]:
    folder = tmp_path_factory.mktemp("frontends")
    dist = folder / "frontend" / "web" / "dist"
    (dist / "assets").mkdir(parents=True)
    (dist / "index.html").write_text("<title>web</title>")
    (dist / "assets" / "index-DiwrgT4a.js").write_text("start()")
    (dist / "assets" / "my-component.js").write_text("component()")
    (dist / "robots.txt").write_text("User-agent: *")
    (dist / "robots.txt").chmod(0o600)
    rig_images(FrontendApp("web").image)
    with host_server() as port:
        declared = project(dist="frontend/web/dist").add(FrontendApp("admin", port=port, route="dashboard"))
        with NselfStack(declared, folder=folder) as running:
            yield running


class HostServer(http.server.ThreadingHTTPServer):
    def __enter__(self) -> int:  # type: ignore[override]
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self.server_port

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class Greeting(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{self.headers['X-Forwarded-Host']} {self.path}".encode())

    def log_message(self, *_: object) -> None:
        pass


host_server = partial(HostServer, ("0.0.0.0", 0), Greeting)  # noqa: S104 - containers must reach it


@pytest.mark.docker
def test_the_edge_reaches_a_program_on_the_host_on_linux(stack: NselfStack) -> None:
    answer = stack.request("GET", "dashboard", "/users?page=2")
    assert (answer.status, answer.text) == (200, "dashboard.localhost /users?page=2")


@pytest.mark.docker
@pytest.mark.parametrize(
    ("path", "status", "caching", "text"),
    [
        ("/", 200, "no-cache", "<title>web</title>"),
        ("/index.html", 200, "no-cache", "<title>web</title>"),
        ("/orders/17", 200, "no-cache", "<title>web</title>"),
        ("/assets/index-DiwrgT4a.js", 200, HASHED, "start()"),
        ("/assets/my-component.js", 200, "no-cache", "component()"),
        ("/robots.txt", 200, "no-cache", "User-agent: *"),
        ("/assets/index-G0neAw4y.js", 404, None, ""),
    ],
)
def test_built_files_are_served_with_the_right_caching(
    stack: NselfStack, path: str, status: int, caching: str | None, text: str
) -> None:
    answer = stack.request("GET", "app", path)
    assert (answer.status, answer.headers["Cache-Control"]) == (status, caching)
    assert text in answer.text


@pytest.mark.docker
def test_an_unchanged_page_is_not_sent_again(stack: NselfStack) -> None:
    tag = stack.request("GET", "app", "/").headers["ETag"]
    assert stack.request("GET", "app", "/", headers={"If-None-Match": tag}).status == 304
