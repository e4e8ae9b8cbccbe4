"""What is written comes back from Docker Compose itself, byte for byte."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from conformance import ask, examine, files_below, main
from conftest import SAMPLES
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from nself_sdk.compose import (
    Build,
    ComposeFile,
    Config,
    Deploy,
    Healthcheck,
    Hook,
    Logging,
    Network,
    Placement,
    Port,
    Secret,
    Service,
    ServiceConfig,
    ServiceNetwork,
    ServiceSecret,
    ServiceVolume,
    Ulimit,
    Volume,
)
from nself_sdk.errors import DeclarationError

pytestmark = [pytest.mark.usefixtures("compose_cli"), pytest.mark.slow]

SCALAR_FIELDS = (
    "cgroup_parent", "container_name", "cpuset", "domainname", "hostname", "image", "ipc", "isolation", "mac_address",
    "network_mode", "pid", "platform", "restart", "runtime", "stop_signal", "user", "userns_mode", "uts", "working_dir",
)  # fmt: skip
LIST_FIELDS = (
    "cap_add", "cap_drop", "command", "device_cgroup_rules", "dns_opt", "dns_search", "entrypoint", "external_links",
    "profiles", "security_opt", "tmpfs",
)  # fmt: skip
MAP_FIELDS = ("annotations", "environment", "labels", "storage_opt", "sysctls")

# Compose's own parser drops nothing of these; an empty text counts as absent in a single value.
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).map(lambda text: text.replace("$", "$$"))


def plain_key(word: str) -> str:
    """Keys are not interpolated, but Compose doubles their dollars on the way out."""
    return word.replace("$", "S")


def stack(words: list[str]) -> ComposeFile:
    """A file that has these texts in every field that takes any text."""
    services: dict[str, Service] = {}
    for number, word in enumerate(words):
        # With a network mode there are no networks; both must be tried.
        scalars: Any = dict.fromkeys(SCALAR_FIELDS, word)
        services[f"scalars{number}"] = Service(**scalars)
        lists: Any = {name: [word] for name in LIST_FIELDS}
        services[f"lists{number}"] = Service(image="a", **lists)
        services[f"maps{number}"] = Service(
            image="a", **{name: {plain_key(word): word, "b": word} for name in MAP_FIELDS}
        )
        services[f"nested{number}"] = nested(word, number)
    return ComposeFile(
        services=services,
        networks={
            f"n{number}": Network(name=word, driver=word, labels={plain_key(word): word})
            for number, word in enumerate(words)
        },
        volumes={
            f"v{number}": Volume(name=word, driver=word, driver_opts={plain_key(word): word})
            for number, word in enumerate(words)
        },
        configs={f"c{number}": Config(name=word, content=word) for number, word in enumerate(words)},
        secrets={f"s{number}": Secret(name=word, environment=word) for number, word in enumerate(words)},
        **{"x-words": words},
    )


def nested(word: str, number: int) -> Service:
    return Service(
        image="a",
        healthcheck=Healthcheck.command(word, interval="5s"),
        logging=Logging(driver=word, options={plain_key(word): word}),
        ports=[Port(80, target=80, host_ip=word, app_protocol=word, mode=word, name=word)],
        configs=[ServiceConfig(source=f"c{number}", target=word, uid=word, gid=word)],
        networks={
            f"n{number}": ServiceNetwork(
                aliases=[word], ipv4_address=word, mac_address=word, driver_opts={plain_key(word): word}
            )
        },
        secrets=[ServiceSecret(source=f"s{number}", uid=word, gid=word)],
        volumes=[ServiceVolume(type="volume", source=f"v{number}", target="/x", consistency=word)],
        deploy=Deploy(
            mode=word, endpoint_mode=word, labels={plain_key(word): word}, placement=Placement(constraints=[word])
        ),
        build=Build(
            context="/a", dockerfile_inline=word, target=word, args={plain_key(word): word}, tags=[word], network=word
        ),
        post_start=[Hook(command=[word], user=word, working_dir=word)],
    )


# Compose derives these from others, moves them elsewhere or fills them in.
FIELDS_IT_CHANGES = {"storage_opt"}


@settings(
    max_examples=5, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(texts, min_size=10, max_size=20, unique=True))
def test_any_text_in_any_field_comes_back_from_compose(tmp_path: Path, words: list[str]) -> None:
    file = stack(words)

    answer = ask(tmp_path, (), text=file.to_yaml())

    assert answer.complaint == ""
    found: Any = answer.value
    for name, service in file.services.items():
        for key, value in service.written.items():
            if key not in FIELDS_IT_CHANGES:
                assert contains(found["services"][name][key], value), (name, key)
    for section in ("networks", "volumes", "configs", "secrets"):
        for name, element in getattr(file, section).items():
            assert contains(found[section][name], element), (section, name)


def contains(found: Any, written: Any) -> bool:
    """Whether what Compose says has everything in it that was written."""
    if hasattr(written, "written"):
        written = written.written
    if isinstance(written, dict):
        return all(key in found and contains(found[key], value) for key, value in written.items())
    if isinstance(written, list):
        return len(found) == len(written) and all(map(contains, found, written))
    return bool(found == written or str(found) == str(written) or found == 5 * 10**9)


@settings(max_examples=40, deadline=None)
@given(st.text())
def test_any_text_in_a_field_with_a_form_is_taken_or_refused_with_a_named_problem(text: str) -> None:
    attempts: list[Any] = [
        lambda: Service(image="a", stop_grace_period=text),
        lambda: Service(image="a", mem_limit=text),
        lambda: Service(image="a", init=text),
        lambda: Service(image="a", scale=text),
        lambda: Service(image="a", cpus=text),
        lambda: Service(image="a", pull_policy=text),
        lambda: Service(image="a", cgroup=text),
        lambda: ComposeFile(services={text: Service(image="a")}),
    ]
    for attempt in attempts:
        try:
            attempt()
        except DeclarationError as error:
            assert error.problems[0].where  # noqa: PT017 - both outcomes are fine


@pytest.mark.parametrize("path", files_below(SAMPLES), ids=lambda path: path.name)
def test_compose_says_the_same_of_a_sample_and_of_what_is_written_back(path: Path) -> None:
    verdict = examine(path)

    assert verdict.outcome == "passed", verdict.reason


def test_the_typed_views_say_what_compose_makes_of_short_syntax(tmp_path: Path) -> None:
    service = Service(
        image="a",
        ports=["8080:80/udp", 9000, "127.0.0.1:1-2:11-12", "[::1]:5:6", "3000-3010:80"],
        volumes=["/a:/a:ro,z", "data:/b:nocopy", "/c", "/d:/d:rshared"],
        ulimits={"nofile": 5, "nproc": Ulimit(soft=1, hard=2)},
        extra_hosts=["a=1.2.3.4", "b:5.6.7.8", "c=[::1]", "a=::2"],
        environment=["A=1", "B=", "C=x=y"],
        depends_on=["b"],
    )
    file = ComposeFile(services={"a": service, "b": Service(image="b")}, volumes={"data": None})

    found: Any = ask(tmp_path, (), text=file.to_yaml()).value

    long: Any = found["services"]["a"]
    written = service.replace(
        ports=service.port_mappings,
        volumes=service.volume_mounts,
        ulimits=service.ulimit_map,
        extra_hosts=service.extra_host_map,
        environment=service.environment_map,
        depends_on=service.depends_on_map,
    )
    again: Any = ask(tmp_path, (), text=file.replace(services={**file.services, "a": written}).to_yaml()).value
    assert len(long["ports"]) == 6
    assert again["services"]["a"] == long | {
        "ulimits": {"nofile": {"soft": 5, "hard": 5}, "nproc": {"soft": 1, "hard": 2}}
    }


def test_a_folder_of_any_files_is_gone_through_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    below = tmp_path / "deep.yml"
    below.mkdir()
    (below / "good.YAML").write_text("services: {a: {image: b}}\n", encoding="utf-8")
    (tmp_path / os.fsdecode(b"\xff.yml")).write_text("services: {a: {imag: b}}\n", encoding="utf-8")
    (tmp_path / "part.yml").write_text("services: {a: {image: b, ulimits: {nproc: $N}}}\n", encoding="utf-8")
    (tmp_path / "gone.yml").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.yml")

    code = main([str(tmp_path)])

    shown = capsys.readouterr().out
    assert code == 0
    assert "\\udcff.yml:1:16: services.a.imag: unknown key; did you mean 'image'?" in shown
    assert "      1  imag: unknown key\n" in shown
    assert "      1  accepted, but Compose refuses it (a variable without a value where one must be)" in shown
    assert shown.endswith("1 passed, 0 failed, 1 refused, 1 differs\n")


def test_a_folder_without_compose_files_is_no_success(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([str(tmp_path)])
