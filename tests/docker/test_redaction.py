"""What must not be seen is hidden in every form in which it may come back; what must not pass does not."""

from __future__ import annotations

import pytest

from nself_sdk.docker import Stack
from nself_sdk.docker.environment import scrubbed
from nself_sdk.docker.redaction import Redaction
from nself_sdk.errors import DeclarationError


def test_a_secret_is_hidden_plain_quoted_and_escaped():
    hide = Redaction(['p@ss"word/1'])
    assert (
        hide('p@ss"word/1 postgres://u:p%40ss%22word%2F1@db {"k": "p@ss\\"word/1"}')
        == '*** postgres://u:***@db {"k": "***"}'
    )


def test_every_line_of_a_key_is_hidden():
    hide = Redaction(["-----BEGIN KEY-----\nMIIEvQIBADANBg\n-----END KEY-----\n"])
    assert hide("line: MIIEvQIBADANBg") == "line: ***"


def test_a_secret_inside_another_does_not_leave_its_rest():
    assert Redaction(["abcd", "abcdefgh"])("abcdefgh") == "***"


def test_short_values_are_left_alone():
    assert Redaction(["", "1", "abc"])("1 abc") == "1 abc"


def test_more_secrets_do_not_forget_the_earlier_ones():
    assert Redaction(["first-one"]).also(["second-one"])("first-one second-one") == "*** ***"


@pytest.mark.parametrize(
    "name",
    ["DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_DEFAULT_PLATFORM", "COMPOSE_FILE",
     "COMPOSE_PROFILES", "COMPOSE_PROJECT_NAME", "BUILDX_CONFIG", "BUILDKIT_HOST", "LD_PRELOAD", "PYTHONPATH",
     "AWS_SECRET_ACCESS_KEY", "SSH_ASKPASS"],
)  # fmt: skip
def test_nothing_ambient_can_redirect_docker(name):
    assert name not in scrubbed({name: "evil"})


def test_an_ambient_builder_is_overruled():
    assert scrubbed({"BUILDX_BUILDER": "elsewhere", "TERM": "xterm"}) | {"PATH": "/bin"} == {
        "PATH": "/bin", "TERM": "dumb", "BUILDKIT_PROGRESS": "plain", "BUILDX_BUILDER": "default",
        "COMPOSE_ANSI": "never", "COMPOSE_MENU": "false", "DOCKER_CLI_HINTS": "false",
    }  # fmt: skip


def test_the_harmless_and_the_given_pass():
    ambient = {"PATH": "/bin", "HOME": "/root", "LC_ALL": "C", "https_proxy": "http://p", "DOCKER_CONFIG": "/c"}
    assert scrubbed(ambient, {"TAG": "1"}).items() >= (ambient | {"TAG": "1"}).items()


@pytest.mark.parametrize("name", ["DOCKER_HOST", "COMPOSE_FILE", "PATH", "LD_PRELOAD", "A=B", "1A", ""])
def test_a_stack_cannot_redirect_docker_either(name):
    with pytest.raises(DeclarationError):
        Stack(project="shop", file="", secrets={name: "x"})


@pytest.mark.parametrize("project", ["", "-shop", "Shop", "a b", "shop;id", "../x"])
def test_a_stack_has_a_name_that_compose_takes(project):
    with pytest.raises(DeclarationError, match="not a Compose project name"):
        Stack(project=project, file="")


def test_the_secrets_of_a_stack_are_not_in_its_picture():
    assert "hunter2" not in repr(Stack(project="shop", file="", secrets={"PASSWORD": "hunter2"}))
