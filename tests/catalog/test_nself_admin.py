"""nself-admin: behind a login, without the project's files, and with the Docker socket only when asked by name."""

from __future__ import annotations

from nself_sdk import Environment, NselfAdmin, Project, render


def mounts(admin: NselfAdmin) -> list[str]:
    return [m.source for m in render(Project("shop").add(admin), "prod").services["nself-admin"].volume_mounts]


def test_it_gets_the_docker_socket_only_when_asked_by_name():
    assert mounts(NselfAdmin()) == ["nself-admin-data"]
    assert "/var/run/docker.sock" in mounts(NselfAdmin(docker_socket=True))


def test_it_is_behind_the_operators_login_everywhere():
    for env in ("dev", "staging", "prod"):
        assert NselfAdmin().routes(Environment.named(env))[0].login == "OPERATOR_PASSWORD"


def test_without_the_socket_it_is_healthy_all_the_same():
    # /api/health of the real program answers 503 there; the page itself does not.
    check = render(Project("shop").add(NselfAdmin()), "prod").services["nself-admin"].healthcheck
    assert check is not None
    assert check.test == ["CMD", "curl", "-fsS", "-o", "/dev/null", "http://127.0.0.1:3021/login"]
