"""Mailpit: Auth sends there wherever mail need not be real."""

from __future__ import annotations

import pytest

from nself_sdk import Auth, DeclarationError, Environment, Mailpit, Project, Smtp, render
from nself_sdk.checks import problems

SMTP = Smtp(host="smtp.example.com", user="shop", sender="shop@example.com")


def mail(env: str, *services: object) -> dict[str, str]:
    project = Project("shop").add(Auth(smtp=SMTP))
    for service in services:
        project.add(service)
    return render(project, env).services["auth"].environment_map


@pytest.mark.parametrize(("env", "host"), [("dev", "mailhog"), ("staging", "mailhog"), ("prod", "smtp.example.com")])
def test_auth_sends_to_mailpit_in_dev_and_staging_and_never_in_prod(env, host):
    assert mail(env, Mailpit())["AUTH_SMTP_HOST"] == host


def test_without_mailpit_auth_sends_to_its_own_server():
    assert mail("dev")["AUTH_SMTP_HOST"] == "smtp.example.com"


def test_mailpit_answers_to_the_one_name_at_which_auth_logs_in_without_tls():
    service = render(Project("shop").add(Mailpit()), "dev").services["mailpit"]
    assert service.networks["default"].aliases == ["mailhog"]


def test_prod_refuses_it():
    found = problems(render(Project("shop").add(Mailpit()), "prod"), Environment.named("prod"))
    assert any("mailpit" in problem.where for problem in found)


def test_its_pages_show_sign_in_links_so_outside_dev_they_are_behind_a_login():
    logins = {env: Mailpit().routes(Environment.named(env))[0].login for env in ("dev", "staging")}
    assert logins == {"dev": "", "staging": "OPERATOR_PASSWORD"}


@pytest.mark.parametrize("smtp", [{"hots": "smtp.example.com"}, {"host": "smtp.example.com", "prot": 25}])
def test_a_mail_server_that_is_said_wrongly_is_not_taken_for_none(smtp: dict[str, object]) -> None:
    with pytest.raises(DeclarationError, match="did you mean"):
        Auth(smtp=smtp)  # type: ignore[arg-type] # as env files say it
    with pytest.raises(DeclarationError, match=r"Smtp\.host"):
        Smtp(host="")
