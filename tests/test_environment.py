"""Environments: three values, every spelling of their names, and domains that are nothing but host names."""

from __future__ import annotations

import pytest

from nself_sdk import DeclarationError, Environment
from nself_sdk.environment import ALIASES

DEV, STAGING, PROD = map(Environment.named, ("dev", "staging", "prod"))


@pytest.mark.parametrize(("spelling", "profile"), ALIASES.items())
def test_every_spelling_is_the_same_environment(spelling: str, profile: str) -> None:
    assert Environment.named(spelling) == Environment.named(profile)
    assert Environment.named(spelling.upper()).name == profile


def test_the_profiles_differ_exactly_so() -> None:
    facts = ("tls", "published", "bind", "log_level", "hasura_console", "hasura_dev_mode", "hot_reload", "restart")
    table = {e.name: tuple(getattr(e, fact) for fact in facts) for e in (DEV, STAGING, PROD)}
    assert table == {
        "dev": ("local-ca", None, "127.0.0.1", "debug", True, True, True, "no"),
        "staging": ("own", ("nginx",), "", "info", True, False, False, "unless-stopped"),
        "prod": ("own", ("nginx",), "", "warning", False, False, False, "unless-stopped"),
    }
    assert (DEV.frontends, STAGING.frontends, PROD.frontends) == (True, True, False)


def test_facts_can_be_changed() -> None:
    assert Environment.named("prod", domain="shop.example").domain == "shop.example"
    assert PROD.replace(log_level="debug").log_level == "debug"


def test_an_environment_of_ones_own_needs_a_base() -> None:
    preview = Environment.named("preview-12", base="staging", domain="12.example.org")
    assert (preview.name, preview.profile, preview.tls) == ("preview-12", "staging", "own")
    with pytest.raises(DeclarationError, match=r"unknown environment 'preview-12'; known: dev, staging, prod"):
        Environment.named("preview-12")
    with pytest.raises(DeclarationError, match=r"unknown base 'stagin'; known: dev, staging, prod$"):
        Environment.named("preview-12", base="stagin")


@pytest.mark.parametrize("name", ["prodd", "", "../prod", "prod;id", "prod\n", " prod"])
def test_an_unknown_environment_is_refused(name: str) -> None:
    with pytest.raises(DeclarationError, match="unknown environment"):
        Environment.named(name)


@pytest.mark.parametrize("name", ["", "../prod", "a/b", "prod;id", "a\nb", "Prod x"])
def test_an_environments_name_cannot_lead_out_of_its_folder(name: str) -> None:
    with pytest.raises(DeclarationError, match=r"Environment\.name"):
        Environment.named(name, base="prod")


def test_an_unknown_fact_says_what_was_meant() -> None:
    with pytest.raises(DeclarationError, match=r"Environment\.domian: unknown key; did you mean 'domain'\?"):
        Environment.named("prod", domian="example.org")


@pytest.mark.parametrize(
    ("domain", "why"),
    [
        ('a.com; return 200 "x"; #', "';' is not allowed"),
        ("a.com{", "'{' is not allowed"),
        ("a.com\n", r"'\\n' is not allowed"),
        ('a.com"', "is not allowed"),
        ("$host", r"'\$' is not allowed"),
        ("~^.*$", "'~' is not allowed"),
        ("exa mple.com", "' ' is not allowed"),
        ("_x.com", "'_' is not allowed"),
        ("*.example.com", r"'\*' is not allowed"),
        ("http://a.com", "leave out the scheme, the port and the path"),
        ("a.com/path", "leave out the scheme, the port and the path"),
        ("a.com:443", "leave out the scheme, the port and the path"),
        ("example..com", "nothing between two dots"),
        ("", "nothing between two dots"),
        (".", "nothing between two dots"),
        ("-a.com", "starts or ends with a hyphen"),
        ("a-.com", "starts or ends with a hyphen"),
        ("x" * 64 + ".com", "is longer than 63"),
        (".".join(["x" * 60] * 5), "has 304 characters, more than 253"),
        ("192.168.1.1", "is an address or ends in a number"),
        ("example.123", "is an address or ends in a number"),
        ("пример.рф", "punycode"),
        ("ⓔxample.com", "punycode"),
        ("\u212aelvin.com", "punycode"),
    ],
)
def test_a_domain_is_a_bare_host_name(domain: str, why: str) -> None:
    with pytest.raises(DeclarationError, match=rf"Environment\.domain: .*{why}"):
        Environment.named("prod", domain=domain)


@pytest.mark.parametrize(
    ("domain", "kept"),
    [("Example.COM", "example.com"), ("example.com.", "example.com"), ("localhost", "localhost"), ("1a.de", "1a.de")],
)
def test_a_domain_is_kept_in_lower_case_without_the_last_dot(domain: str, kept: str) -> None:
    assert Environment.named("dev", domain=domain).domain == kept


def test_a_url_names_a_port_only_where_it_is_not_the_usual_one() -> None:
    assert DEV.url("api") == "https://api.localhost/"
    assert DEV.replace(https_port=8443).url("api", "/v1") == "https://api.localhost:8443/v1"
    assert PROD.url("www.shop.example", "") == "https://www.shop.example"


@pytest.mark.parametrize("port", ["0", "-1", "65536", "80a", "8 001", "1e3"])
def test_a_published_port_is_a_port(port: str) -> None:
    with pytest.raises(DeclarationError, match=r"Environment\.https_port"):
        Environment.named("dev", https_port=port)


def test_only_nginx_publishes_outside_dev() -> None:
    table = {(e.name, s): e.publishes(s) for e in (DEV, STAGING, PROD) for s in ("nginx", "postgres")}
    assert [key for key, publishes in table.items() if not publishes] == [("staging", "postgres"), ("prod", "postgres")]


def test_a_variable_that_is_not_there_is_told_as_one() -> None:
    says = Environment.named("prod", variables={"A": "1"}).replace(domain="example.org").variables
    assert (says["A"], says.get("B", "2"), dict(says)) == ("1", "2", {"A": "1"})
    for variables in (says, Environment.named("dev").variables):
        with pytest.raises(DeclarationError, match=r"^B: has no value; write it into the environment's \.env$"):
            _ = variables["B"]
