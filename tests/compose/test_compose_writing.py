from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from nself_sdk.compose import ComposeFile, Config, Healthcheck, Port, Service, ServiceConfig
from nself_sdk.compose.reading import read
from nself_sdk.compose.writing import to_yaml
from nself_sdk.errors import DeclarationError

AWKWARD = [
    "",
    " ",
    "a ",
    " a",
    "a: b",
    "a #b",
    "#a",
    "a:",
    "-",
    "- a",
    "-a",
    "--flag",
    "?",
    "? a",
    "?a",
    ":a",
    "'",
    '"',
    "'a'",
    'a"b',
    "a\\b",
    "a'b\"c",
    "[a]",
    "{a}",
    "a, b",
    "&a",
    "*a",
    "!a",
    "|",
    ">",
    "%a",
    "@a",
    "`a`",
    "no",
    "yes",
    "On",
    "y",
    "~",
    "null",
    "NULL",
    "true",
    "False",
    "1",
    "1.0",
    "010",
    "0o17",
    "08",
    "0x1f",
    "0b1",
    "1e3",
    "1_000",
    ".5",
    "5.",
    "+1",
    "-1",
    ".inf",
    ".nan",
    "22:22",
    "1:2:3",
    "8080:80",
    "2001-01-01",
    "2001-1-1 1:1:1",
    "=",
    "<<",
    "a\tb",
    "\t",
    "a\nb",
    "a\nb\n",
    "a\n\n",
    "\n",
    "\n\n",
    "\na",
    " a\nb",
    "\ta\nb",
    "a\n b\n",
    "a \nb",
    "a\n \n",
    "a\rb",
    "a\r\nb",
    "\x00",
    "\x1b[0m",
    "\x7f",
    "\x85",
    "\xa0",
    "\u2028",
    "\u2029",
    "\ufeff",
    "\ufffe",
    "\U0001f600",
    "é",
    "日本",
    "$host",
    "$$a",
    "${A:-b c}",
    "---",
    "...",
    "--- a",
    "a\n---\nb",
    "# a\nb",
    "a" * 300,
    "%TAG",
    "1_",
    "0x",
    "_1",
    "1__0",
    "-_1",
    "...\n",
]


@pytest.mark.parametrize("text", AWKWARD, ids=repr)
def test_awkward_texts_come_back_from_every_parser(text: str) -> None:
    tree: Any = {"key": text, "list": [text], "nested": [{"a": text, "b": [text]}], text: text}

    written = to_yaml(tree)

    assert read(written).value == tree
    assert yaml.safe_load(written) == tree


texts = st.text(st.characters(exclude_categories=["Cs"]))
scalars = st.one_of(texts, st.integers(-(2**63), 2**64 - 1), st.booleans(), st.none(), st.floats(allow_nan=False))
trees = st.recursive(
    scalars,
    lambda inside: st.one_of(st.lists(inside, max_size=4), st.dictionaries(texts, inside, max_size=4)),
    max_leaves=12,
)


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(st.dictionaries(texts, trees, max_size=4))
def test_any_tree_comes_back(tree: Any) -> None:
    assert read(to_yaml(tree)).value == tree


@settings(max_examples=80, deadline=None)
@given(st.text(st.sampled_from("a \n\t:#-'\"\\|>$%&*!?{}[],0123456789.exo_~\r\u2028é")))
def test_texts_of_yaml_s_own_characters_come_back_from_every_parser(text: str) -> None:
    written = to_yaml({"a": text, "b": [text], "c": {text: [{"d": text}]}})

    assert read(written).value == yaml.safe_load(written) == {"a": text, "b": [text], "c": {text: [{"d": text}]}}


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("abmp: \n-[]{}&*!|>'\"%#,?<~.01\t")))
def test_any_text_is_read_or_refused_with_a_named_problem(text: str) -> None:
    with suppress(DeclarationError):
        ComposeFile.loads(text)


def test_a_file_reads_like_one_that_a_person_wrote() -> None:
    file = ComposeFile(
        name="shop",
        services={
            "web": Service(
                restart="no",
                image="nginx:1.29",
                command=["nginx", "-g", "daemon off;"],
                ports=["22:22", Port(8443, target=443)],
                configs=[ServiceConfig(source="site", target="/etc/nginx/conf.d/site.conf", mode=0o440)],
                healthcheck=Healthcheck.shell("curl -f http://localhost || exit 1", interval="10s"),
                environment={"DEBUG": "on", "EMPTY": None, "WORKERS": 4},
                labels=[],
            )
        },
        volumes={"data": None},
        configs={"site": Config.inline("server {\n    listen 80;\n    server_name $host;\n}\n")},
    )

    assert (
        file.to_yaml()
        == """\
name: shop
services:
  web:
    command: ["nginx", "-g", "daemon off;"]
    configs:
      - source: site
        target: /etc/nginx/conf.d/site.conf
        mode: 0440
    environment:
      DEBUG: "on"
      EMPTY: null
      WORKERS: 4
    healthcheck:
      test: ["CMD-SHELL", "curl -f http://localhost || exit 1"]
      interval: 10s
    image: nginx:1.29
    labels: []
    ports:
      - "22:22"
      - target: 443
        published: 8443
    restart: "no"
volumes:
  data: null
configs:
  site:
    content: |
      server {
          listen 80;
          server_name $$host;
      }
"""
    )
    assert ComposeFile.loads(file.to_yaml()) == file


def test_half_a_character_is_refused() -> None:
    with pytest.raises(DeclarationError, match="half a character"):
        ComposeFile(services={"a": Service(image="\ud800")}).to_yaml()
