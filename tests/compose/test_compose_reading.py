from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from nself_sdk.compose import ComposeFile
from nself_sdk.compose.reading import read
from nself_sdk.errors import DeclarationError

# What go-yaml, the parser of Compose, makes of scalars without quotes.
SCALARS: dict[str, Any] = {
    "22:22": "22:22",
    "8080:80": "8080:80",
    "no": "no",
    "yes": "yes",
    "on": "on",
    "y": "y",
    "010": 8,
    "0o17": 15,
    "08": 8.0,
    "0x1F": 31,
    "0b11": 3,
    "-0b11": -3,
    "1_000": 1000,
    "1e3": 1000.0,
    "1.5": 1.5,
    ".5": 0.5,
    "1.": 1.0,
    "+1": 1,
    "12345678901234567890123": 12345678901234567890123.0,
    "1" + "0" * 400: "1" + "0" * 400,
    "2001-01-01": "2001-01-01 00:00:00 +0000 UTC",
    "2001-1-2 3:4:5.5": "2001-01-02 03:04:05.5 +0000 UTC",
    "2001-13-01": "2001-13-01",
    "12:30:45": "12:30:45",
    "true": True,
    "True": True,
    "FALSE": False,
    "null": None,
    "~": None,
    "Null": None,
    ".inf": float("inf"),
    "-": None,
    "=": "=",
    "${PORT}:80": "${PORT}:80",
    "'010'": "010",
    '"true"': "true",
    "!!str 010": "010",
    "!!int 010": 8,
    "!!float 1": 1.0,
}


@pytest.mark.parametrize("written", [scalar for scalar in SCALARS if scalar != "-"])
def test_scalars_mean_what_they_mean_to_compose(written: str) -> None:
    found = read(f"x-a: {written}\n").value["x-a"]

    assert found == SCALARS[written]
    assert type(found) is type(SCALARS[written])


REFUSED = {
    "services:\n  a:\n    image: b\n    ports: []\n    ports: []\n": "file.yml:5:5: services.a.ports: duplicate key",
    "services:\n\ta: b\n": "file.yml:2:1: ",
    'services:\n  a:\n    image: "b\n': "file.yml:",
    "services: {a: {image: b}}\n---\nservices: {}\n": "file.yml:2:1: a second document",
    "services: !!python/object:os.system {}\n": "is not allowed",
    "!reset\nservices: {}\n": "file.yml:1:1: '!reset' on the whole file",
    "services: {a: {image: !custom b}}\n": "'!custom' is not allowed",
    "services: {a: {image: !!binary aGk=}}\n": "'!!binary' is not allowed",
    "": "expected a mapping",
    "# nothing\n": "expected a mapping",
    "- a\n": "expected a mapping",
    "a: [\n": "file.yml:2:1",
    "services: {a: *nowhere}\n": "unknown alias 'nowhere'",
    "services: {a: {image: b, environment: {8080: x}}}\n": "the key '8080' is not a text",
    "services: {a: {image: b, <<: c}}\n": "'<<' takes a mapping",
    "x-a: &a {tty: true}\nservices:\n  a:\n    <<: *a\n    <<: *a\n": "file.yml:5:5: services.a.<<: duplicate key '<<'",
    "services:\n  a:\n    tty: true # b\n\t# c\n": "YAML does not allow tabs for indentation",
    "services: {a: {restrat: always}}\n": "services.a.restrat: unknown key; did you mean 'restart'?",
    "services: {a: {image: 5}}\n": "file.yml:1:16: services.a.image: expected a text, got 5",
    "services: {a: {cpus: []}}\n": "services.a.cpus: expected a number or a text, got a list",
    "services: {a: {image: null}}\n": "services.a.image: expected a text, got nothing (null)",
    "servces: {}\n": "servces: unknown key; did you mean 'services'?",
    "services: {a: {healthcheck: {interval: 5 bananas}}}\n": "'5 bananas' is not a duration",
    "services: {a: {mem_limit: 5 bananas}}\n": "'5 bananas' is not an amount of bytes",
    "services: {a: {depends_on: {b: {condition: healthy}}}}\n": "write 'service_started'",
    "services: {a: {ports: ['80:http']}}\n": "file.yml:1:24: services.a.ports[0]: '80:http' is not a port",
    "services: {a: {ports: [80.5]}}\n": "services.a.ports[0]: 80.5 is not a port",
    "services: {a: {build: {contxt: .}}}\n": "services.a.build.contxt: unknown key; did you mean 'context'?",
    # Named as an attribute is, and under an attribute that may be a list as well.
    "services: {build: {imag: x}}\n": "services.build.imag: unknown key; did you mean 'image'?",
    "services: {a: {networks: {ports: {alias: [x]}}}}\n": (
        "services.a.networks.ports.alias: unknown key; did you mean 'aliases'?"
    ),
    "services: {a: {ports: [{targt: 80}]}}\n": "services.a.ports[0].targt: unknown key; did you mean 'target'?",
    "services: {a: {volumes: [{target: /a}]}}\n": "services.a.volumes[0].type: is missing",
    "a: \x00\n": "file.yml:1:4: the character U+0000 is not allowed",
    "é: b\nx-é: 'ü\x7f'\n": "file.yml:2:8: the character U+007F is not allowed",
    "a: \ud800\n": "file.yml:1:4: the character U+D800 is not allowed",
    "x-a: " + "[" * 100 + "]" * 100: "nested deeper than 64 levels",
    "x-a: &a [" + "1," * 1000 + "]\n" + "\n".join(f"x-{n}: *a" for n in range(2000)): "aliases blow this file up",
    "x: " + "a" * 1024 * 1024: "larger than 1048576 bytes",
}


@pytest.mark.parametrize("text", REFUSED, ids=[REFUSED[text][:40] for text in REFUSED])
def test_what_is_wrong_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        ComposeFile.loads(text, "file.yml")

    assert REFUSED[text] in str(caught.value)
    assert "file.yml" in str(caught.value)


def test_tabs_before_comments_below_a_comment_mean_nothing() -> None:
    lines = ["a:", "  # é", "", "\t# c", " \t# d", "  b: |", "    # e", "    \t# f", "  # g", "\t# h", "  c: true", ""]

    assert read("\n".join(lines)).value == {"a": {"b": "# e\n\t# f\n", "c": True}}


def test_all_problems_come_at_once() -> None:
    text = "services:\n  a:\n    image: [1]\n    imge: b\n  b:\n    ports: 5\nvolums: {}\n"

    with pytest.raises(DeclarationError) as caught:
        ComposeFile.loads(text)

    assert len(caught.value.problems) == 4


def test_an_alias_bomb_is_refused() -> None:
    levels = ["x-0: &a0 [lol]"] + [f"x-{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]

    with pytest.raises(DeclarationError, match="blow"):
        ComposeFile.loads("\n".join(levels))


def test_merge_keys_and_anchors_are_filled_in() -> None:
    text = """
x-base: &base {image: base, restart: always}
x-more: &more {image: more, tty: true}
services:
  a: {<<: [*base, *more], image: own}
  b: {!!merge <<: *base}
"""
    file = ComposeFile.loads(text)

    assert file.services["a"].written == {"image": "own", "restart": "always", "tty": True}
    assert file.services["b"].image == "base"


def test_reset_and_override_survive_a_round_trip() -> None:
    text = """services:
  app:
    command: !reset {}
    image: app
    ports: !override
      - 80:80
  gone: !reset null
"""
    file = ComposeFile.loads(text)

    assert file.services["app"].ports == ["80:80"]
    assert file.services["app"].command is None
    assert file.to_yaml() == text
    assert ComposeFile.loads(file.to_yaml()) == file


def test_an_override_of_the_whole_file_means_nothing() -> None:
    file = ComposeFile.loads("!override\nservices: {a: {image: b}}\n")

    assert ComposeFile.loads(file.to_yaml()) == file


def test_a_tag_inside_an_anchor_counts_at_every_alias() -> None:
    text = "x-a: &a {ports: !reset []}\nservices:\n  one: {<<: *a, image: b}\n"

    written = ComposeFile.loads(text).to_yaml()

    assert written.count("!reset []") == 2
    assert "<<" not in written


def test_unknown_keys_are_accepted_where_the_caller_says_so() -> None:
    text = "services:\n  a:\n    image: b\n    brand_new: 1\n"

    file = ComposeFile.loads(text, unknown_keys=True)

    assert file.services["a"].extensions == {"brand_new": 1}
    assert file.to_yaml() == text


def test_files_that_are_no_files_are_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    latin = tmp_path / "latin.yml"
    latin.write_bytes("services: {a: {image: b}}\nx-a: ä\n".encode("latin-1"))
    wide = tmp_path / "wide.yml"
    wide.write_bytes("services: {}".encode("utf-16"))

    for path in (pipe, loop, tmp_path, tmp_path / "none.yml", latin, wide):
        with pytest.raises(DeclarationError) as caught:
            ComposeFile.load(path)
        assert str(path) in str(caught.value)


def test_a_byte_order_mark_and_windows_lines_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "file.yml"
    path.write_bytes("\ufeffservices:\r\n  a:\r\n    image: b\r\n".encode())

    assert ComposeFile.load(path).services["a"].image == "b"
