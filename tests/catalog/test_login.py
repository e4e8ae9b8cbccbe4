"""A login at the edge: its password is a secret's value that only nginx sees."""

from __future__ import annotations

from nself_sdk import Hasura, NselfAdmin, Project, render


def nginx_of(project: Project) -> tuple[object, str]:
    file = render(project, "prod")
    text = next(c.content for name, c in file.configs.items() if name.startswith("nginx.conf"))
    return file.services["nginx"], text.replace("$$", "$")


def test_a_project_without_a_login_has_none_of_it():
    service, text = nginx_of(Project("shop").add(Hasura()))
    assert "auth_basic" not in text
    assert "$authorization" not in text
    assert [r.source for r in service.secret_references] == ["TLS_CERTIFICATE", "TLS_PRIVATE_KEY"]


def test_only_the_route_that_asks_for_it_is_behind_it():
    service, text = nginx_of(Project("shop").add(Hasura()).add(NselfAdmin()))
    assert text.count("auth_basic_user_file /etc/nginx/logins/OPERATOR_PASSWORD;") == 1
    assert "OPERATOR_PASSWORD" in [r.source for r in service.secret_references]


def test_what_is_behind_it_does_not_see_the_password():
    _, text = nginx_of(Project("shop").add(Hasura()).add(NselfAdmin()))
    assert 'admin.example.com "";' in text
    assert "proxy_set_header Authorization $authorization;" in text


def test_the_file_of_names_is_made_by_the_images_entry_point():
    service, _ = nginx_of(Project("shop").add(NselfAdmin()))
    script = next(r for r in service.config_references if r.target.startswith("/docker-entrypoint.d/"))
    assert script.target.endswith(".sh")
    assert int(str(script.mode), 0) & 0o111
