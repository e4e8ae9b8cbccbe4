"""Frontends: on the host or built files, and in which environments."""

from __future__ import annotations

import pytest

from nself_sdk import DeclarationError, Environment, FrontendApp, Project, render


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


def test_what_is_said_of_the_server_of_files_needs_files() -> None:
    with pytest.raises(DeclarationError, match=r"memory, environment: of what serves its built files.*say dist too"):
        FrontendApp("web", port=3000, memory="1g", environment={"A": "b"})
