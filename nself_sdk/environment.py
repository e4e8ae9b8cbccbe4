"""Environment: the facts about one place where a project runs. It knows no disk and no Docker."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field

from nself_sdk.errors import DeclarationError, Problem
from nself_sdk.model import Model

Profile = Literal["dev", "staging", "prod"]

#: Every spelling of a profile's name, as the tools before us accepted them.
ALIASES: dict[str, Profile] = {
    "dev": "dev",
    "devel": "dev",
    "develop": "dev",
    "development": "dev",
    "stage": "staging",
    "staging": "staging",
    "prod": "prod",
    "production": "prod",
}

#: The longest host name (RFC 1035, 2.3.4).
_LONGEST_NAME = 253
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")


def is_dns_label(text: str) -> bool:
    """Whether ``text`` is one label of a host name (RFC 1123: letters, digits, inner hyphens, at most 63)."""
    return _LABEL.fullmatch(text) is not None


def name_of(folder: PurePath) -> str:
    """A valid project name made of a folder's."""
    return re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-")[:40].strip("-") or "project"


def _domain(text: str) -> str:
    if "://" in text or "/" in text or ":" in text:
        raise ValueError(f"{text!r} is not a bare host name; leave out the scheme, the port and the path")
    name = text.lower().removesuffix(".")
    labels = name.split(".")
    if not text.isascii():
        raise ValueError(f"{text!r} is not ASCII; write the name in its punycode form, xn--...")
    if wrong := [label for label in labels if not is_dns_label(label)]:
        raise ValueError(f"{text!r} is not a host name: {_why(wrong[0])}")
    if len(name) > _LONGEST_NAME:
        raise ValueError(f"{text!r} is not a host name: it has {len(name)} characters, more than {_LONGEST_NAME}")
    if labels[-1].isdecimal():
        raise ValueError(f"{text!r} is an address or ends in a number; write a name, certificates are made for names")
    return name


def _why(label: str) -> str:
    """What keeps a text from being a label."""
    if illegal := re.search(r"[^a-z0-9-]", label):
        return f"{illegal[0]!r} is not allowed; use letters, digits, hyphens and dots"
    if not label:
        return "there is nothing between two dots"
    return f"{label!r} " + ("starts or ends with a hyphen" if "-" in {label[0], label[-1]} else "is longer than 63")


def _label(text: str) -> str:
    if is_dns_label(text):
        return text
    raise ValueError("an environment's name is made of lower-case letters, digits and inner hyphens, at most 63")


Label = Annotated[str, AfterValidator(_label)]
#: An address as it is written in practice, or nothing.
Email = Annotated[
    str,
    Field(
        pattern=r"^$|^[A-Za-z0-9._%+-]{1,64}@([A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,63}$",
        examples=["ops@example.com"],
    ),
]
#: A bare host name, lower case.
Domain = Annotated[str, AfterValidator(_domain)]
#: Let's Encrypt, its CA for trying things out, or the URL of another CA's ACME directory.
AcmeCa = Annotated[str, Field(pattern=r"^(letsencrypt|letsencrypt-staging|https://[A-Za-z0-9.-]+(:[0-9]+)?/[\w./-]*)$")]
#: A registry, and what its repositories' names begin with; Docker Hub's where no host is said
#: (https://github.com/distribution/reference/blob/main/reference.go).
Registry = Annotated[
    str,
    Field(
        pattern=r"^$|^[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$",
        examples=["ghcr.io/acme"],
    ),
]
PublishedPort = Annotated[int, Field(ge=1, le=65535)]


class _Variables(dict[str, str]):
    """Variables by name; to ask for one that is not there is told as what it is, a value that somebody must give."""

    def __missing__(self, name: str) -> str:
        raise DeclarationError(Problem(name, "has no value", "write it into the environment's .env"))


class Environment(Model):
    """What differs between places. dev, staging and prod are three values of it.

    Make one with `Environment.named`, and change single facts with keyword arguments:
    ``Environment.named("prod", domain="example.com")``.
    """

    name: Label
    profile: Profile
    domain: Domain = "localhost"
    #: Where certificates come from: a CA of this machine's own, files that the user provides, or a CA that gives them
    #: to who answers for a name (``acme``). Saying ``acme`` agrees to that CA's terms of service.
    tls: Literal["local-ca", "own", "acme"] = "own"
    #: Which CA that is. No browser trusts the certificates of ``letsencrypt-staging``; others by their directory's URL.
    acme_ca: AcmeCa = "letsencrypt"
    #: Names of the services that may publish ports; None means all of them.
    published: tuple[str, ...] | None = ("nginx",)
    #: The host address that published ports are bound to; every address when empty.
    bind: str = ""
    http_port: PublishedPort = 80
    https_port: PublishedPort = 443
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    hasura_console: bool = False
    hasura_dev_mode: bool = False
    frontends: bool = True
    #: Bind-mount the code of custom services and reload them when it changes.
    hot_reload: bool = False
    restart: Literal["no", "always", "unless-stopped", "on-failure"] = "unless-stopped"
    #: The engine is on another machine: a path of this one means nothing there.
    remote: bool = False
    #: Where images of your code are pushed to once built, and pulled from; without one they are carried over ssh.
    #: dev, whose images are this machine's alone, uses none.
    registry: Registry = ""
    #: A stack without monitoring is refused. Say False on purpose, or ``MONITORING_REQUIRED=false``.
    monitoring_required: bool = False
    #: A mail catcher is refused, and so is Auth without a mail server. Say False, or ``REAL_MAIL_REQUIRED=false``.
    real_mail_required: bool = False
    #: Who runs it: told about certificates and alerts.
    admin_email: Email = ""
    #: Everything that the env files say, for a ``stack.py`` to read. No secrets.
    variables: Annotated[dict[str, str], AfterValidator(_Variables)] = Field(default_factory=_Variables)

    @classmethod
    def named(cls, name: str, **facts: Any) -> Self:
        """The environment of that name: a profile under any spelling, or ``base=`` with a name of your own.

        Raises:
            DeclarationError: the name is unknown and no ``base`` was given, or a fact is wrong.
        """
        base = facts.pop("base", None)
        profile = ALIASES.get(str(base or name).lower())
        if profile is None:
            what = f"unknown base {base!r}" if base else f"unknown environment {name!r}"
            fix = "known: dev, staging, prod" + ("" if base else "; an environment of your own needs base='staging'")
            raise DeclarationError(Problem("environment", what, fix))
        own_name = ALIASES.get(name.lower(), name)
        values: dict[str, Any] = {"name": own_name, "profile": profile, **_PROFILES[profile], **facts}
        return cls(**values)

    def host(self, route: str) -> str:
        """The full host name of a route: ``api`` is ``api.<domain>``; a name with a dot is already full."""
        return route if "." in route else f"{route}.{self.domain}"

    @property
    def acme_directory(self) -> str:
        """The URL of the CA's directory (RFC 8555, 7.1.1; https://letsencrypt.org/docs/staging-environment/)."""
        return _DIRECTORIES.get(self.acme_ca, self.acme_ca)

    @property
    def browsers_trust(self) -> bool:
        """Whether certificates may be what browsers accept: then they may insist on TLS from now on."""
        return self.profile != "dev" and not (self.tls == "acme" and self.acme_ca == "letsencrypt-staging")

    def publishes(self, service: str) -> bool:
        """Whether that service may publish ports here."""
        return self.published is None or service in self.published

    def url(self, route: str, path: str = "/") -> str:
        """The public https URL of a route."""
        port = "" if self.https_port == 443 else f":{self.https_port}"  # noqa: PLR2004 - https, RFC 9110
        return f"https://{self.host(route)}{port}{path}"


_DIRECTORIES = {
    "letsencrypt": "https://acme-v02.api.letsencrypt.org/directory",
    "letsencrypt-staging": "https://acme-staging-v02.api.letsencrypt.org/directory",
}
_PROFILES: dict[Profile, dict[str, Any]] = {
    "dev": {
        "tls": "local-ca",
        "published": None,
        "bind": "127.0.0.1",
        "log_level": "debug",
        "hasura_console": True,
        "hasura_dev_mode": True,
        "hot_reload": True,
        "restart": "no",
    },
    "staging": {"domain": "staging.example.com", "acme_ca": "letsencrypt-staging", "hasura_console": True},
    "prod": {
        "domain": "example.com",
        "log_level": "warning",
        "frontends": False,
        "monitoring_required": True,
        "real_mail_required": True,
    },
}
