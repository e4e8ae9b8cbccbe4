from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

import pytest

from nself_sdk import compose
from nself_sdk.compose import (
    Build,
    ComposeFile,
    Config,
    DependsOn,
    EnvFile,
    Healthcheck,
    Port,
    Service,
    ServiceVolume,
    Ulimit,
    Volume,
)
from nself_sdk.errors import DeclarationError


def web(**attributes: object) -> ComposeFile:
    return ComposeFile(services={"web": Service(image="nginx:1", **attributes)})


def test_an_attribute_nobody_wrote_is_not_written() -> None:
    assert web(command=None, ports=None, labels={}).to_yaml() == (
        "services:\n  web:\n    command: null\n    image: nginx:1\n    labels: {}\n"
    )


def test_mistakes_in_python_are_all_named_at_once() -> None:
    with pytest.raises(DeclarationError) as caught:
        Service(imge="a", restart=5, build={"contxt": "."}, ports=[Port(80, target=80), 1.5, {"taget": 1}])

    assert [str(problem) for problem in caught.value.problems] == [
        "build.contxt: unknown key; did you mean 'context'?",
        "ports[1]: 1.5 is not a port; write for example 8080:80, 127.0.0.1:8080:80/udp or 9000-9009:9000-9009",
        "ports[2].taget: unknown key; did you mean 'target'?",
        "restart: 5 is not allowed; write 'no', 'always', 'on-failure' or 'unless-stopped'",
        "imge: unknown key; did you mean 'image'?",
    ]


def test_elements_do_not_change_and_replace_makes_a_checked_copy() -> None:
    service = Service(image="a", tty=True, **{"x-note": 1})

    changed = service.replace(image="b", tty=None)

    assert changed == Service(image="b", **{"x-note": 1})
    assert service.image == "a"
    with pytest.raises(DeclarationError, match="tyt"):
        service.replace(tyt=True)
    with pytest.raises(Exception, match="frozen"):
        service.image = "c"


def test_equal_parts_merge_and_different_ones_name_both_owners() -> None:
    one = (web() + ComposeFile(volumes={"data": Volume()})).owned_by("hasura")
    same = ComposeFile(volumes={"data": Volume()}, networks={"back": None}).owned_by("auth")

    total = one + same

    assert list(total.services) == ["web"]
    assert total.volumes == {"data": Volume()}
    assert total.networks == {"back": None}
    with pytest.raises(DeclarationError) as caught:
        _ = total + web(tty=True).owned_by("other") + ComposeFile()
    assert str(caught.value) == (
        "services.web: declared by 'hasura' and differently by 'other' (they differ in tty);"
        " give one of the two another name"
    )


def test_every_clash_is_reported() -> None:
    left = ComposeFile(name="a", services={"x": Service(image="1"), "y": Service(image="1")}, include=["one.yml"])
    right = ComposeFile(name="b", services={"x": Service(image="2"), "y": Service(image="2")}, include=["two.yml"])

    with pytest.raises(DeclarationError) as caught:
        _ = left + right

    assert [problem.where for problem in caught.value.problems] == ["name", "services.x", "services.y"]


def test_addition_has_a_zero_and_keeps_order() -> None:
    file = ComposeFile(services={"b": Service(image="1"), "a": Service(image="2")})

    assert file + ComposeFile() == file
    assert list((ComposeFile() + file).services) == ["b", "a"]


def test_services_are_mapped_and_removed() -> None:
    file = ComposeFile(services={"a": Service(image="1"), "b": Service(image="2")}, volumes={"v": None})

    mapped = file.map_services(lambda name, service: None if name == "a" else service.replace(init=True))

    assert mapped == ComposeFile(services={"b": Service(image="2", init=True)}, volumes={"v": None})


def test_inline_config_doubles_every_dollar() -> None:
    config = Config.inline("proxy_set_header Host $host;\n$$\n")

    assert config.content == "proxy_set_header Host $$host;\n$$$$\n"
    assert config.text == "proxy_set_header Host $host;\n$$\n"


def test_what_is_rarely_written_in_long_syntax_is_read_in_it() -> None:
    service = Service(
        build=".",
        env_file=["a.env", EnvFile(path="b.env", required=False)],
        devices=["/dev/a", "/dev/b:/dev/c", "/dev/d:/dev/e:r", "${DEVICE:-/dev/f}:/dev/g"],
        ulimits={"nofile": 5, "nproc": Ulimit(soft=1, hard=2)},
        extra_hosts=["a=1.2.3.4", "b:5.6.7.8", "c=[::1]", "a=::2"],
    )

    assert service.build_settings == Build(context=".")
    assert service.env_files == [EnvFile(path="a.env", required=True), EnvFile(path="b.env", required=False)]
    assert [(one.source, one.target, one.permissions) for one in service.device_mappings] == [
        ("/dev/a", "/dev/a", "rwm"),
        ("/dev/b", "/dev/c", "rwm"),
        ("/dev/d", "/dev/e", "r"),
        ("${DEVICE:-/dev/f}", "/dev/g", "rwm"),
    ]
    assert service.ulimit_map == {"nofile": Ulimit(soft=5, hard=5), "nproc": Ulimit(soft=1, hard=2)}
    assert service.extra_host_map == {"a": ["1.2.3.4", "::2"], "b": ["5.6.7.8"], "c": ["::1"]}
    assert Service(extra_hosts={"a": "1.2.3.4", "b": ["::1"]}).extra_host_map == {"a": ["1.2.3.4"], "b": ["::1"]}
    assert (Service().build_settings, Service(env_file="a").env_files[0].path) == (None, "a")


def test_short_syntax_has_typed_views() -> None:
    service = Service(
        image="a",
        ports=["8080:80/udp", 9000, "127.0.0.1:1-3:11-13", "${PORT:-80}:80", "[::1]:5:6", "3000-3010:80"],
        volumes=["./a:/a:ro,z", "data:/b", "/c", "${DIR:-/x}:/d", ServiceVolume(type="tmpfs", target="/e")],
        environment=["A=1", "B", "C="],
        labels={"n": 1, "t": True, "f": 1.5, "none": None},
        depends_on=["db"],
        networks=["back"],
        configs=["c"],
        secrets=["s"],
    )

    assert [(port.host_ip, port.published, port.target, port.protocol) for port in service.port_mappings] == [
        (None, 8080, 80, "udp"),
        (None, None, 9000, "tcp"),
        ("127.0.0.1", 1, 11, "tcp"),
        ("127.0.0.1", 2, 12, "tcp"),
        ("127.0.0.1", 3, 13, "tcp"),
        (None, "${PORT:-80}", 80, "tcp"),
        ("::1", 5, 6, "tcp"),
        (None, "3000-3010", 80, "tcp"),
    ]
    assert [(mount.type, mount.source, mount.target) for mount in service.volume_mounts] == [
        ("bind", "./a", "/a"),
        ("volume", "data", "/b"),
        ("volume", None, "/c"),
        ("volume", "${DIR:-/x}", "/d"),
        ("tmpfs", None, "/e"),
    ]
    assert service.environment_map == {"A": "1", "B": None, "C": ""}
    assert service.label_map == {"n": "1", "t": "true", "f": "1.5", "none": ""}
    assert service.depends_on_map == {"db": DependsOn(condition="service_started")}
    assert list(service.network_map) == ["back"]
    assert [reference.source for reference in service.config_references] == ["c"]
    assert [reference.source for reference in service.secret_references] == ["s"]


def test_healthchecks_read_well() -> None:
    assert Healthcheck.http("/healthz", 8080, interval="5s").test == [
        "CMD",
        "curl",
        "-fsS",
        "-o",
        "/dev/null",
        "http://127.0.0.1:8080/healthz",
    ]
    assert Healthcheck.http("https://localhost/x", client="wget").test[-1] == "https://localhost/x"
    assert Healthcheck.command("true").test == ["CMD", "true"]
    assert Healthcheck.shell("exit 0", retries=3).retries == 3
    assert Healthcheck.disabled().disable is True


def test_units_are_kept_and_can_be_read() -> None:
    service = Service(image="a", mem_limit="1.5g", stop_grace_period="1m30s")

    assert service.mem_limit == "1.5g"
    assert compose.byte_size("1.5g") == 1536 * 1024**2
    assert compose.byte_size(5) == 5
    assert compose.duration("1m30.5s") == timedelta(seconds=90.5)
    assert compose.duration("-1h") == timedelta(hours=-1)
    for wrong in ("5 bananas", "", "1x"):
        with pytest.raises(ValueError, match="is not"):
            compose.duration(wrong)
        with pytest.raises(ValueError, match="is not"):
            compose.byte_size(wrong)


def test_listed_values_may_be_variables() -> None:
    assert DependsOn(condition=compose.Interpolated("${CONDITION}")).condition == "${CONDITION}"


def test_extensions_are_kept_at_every_level() -> None:
    file = ComposeFile(services={"a": Service(image="b", build={"x-in": {"deep": [1, None]}})}, **{"x-top": "y"})

    assert file.extensions == {"x-top": "y"}
    assert ComposeFile.loads(file.to_yaml()) == file
    with pytest.raises(DeclarationError, match="an extension holds"):
        ComposeFile(**{"x-top": object()})


# Each was held against Docker Compose: it accepts the first and refuses the second ones.
PORTS = (
    "80", "8080:80", "80/UDP", "080:80", "0:80", ":80", "80/", "9000-9009:80", "9000-9001:80-81", "127.0.0.1::80",
    "[::1]:80:80/tcp", "[1.2.3.4]:80:80", "${PORT}", "${HOST:-127.0.0.1}:80:x$Y", 65535,
)  # fmt: skip
NO_PORTS = (
    "", "a", "80:", "80:a", "65536", "0", 0, -1, 80.5, "90-80", "80:80-81", "80-82:80-81", "80/http", "::1:80:80",
    " 80:80", "1.2.3:80:80", "[fe80::1%eth0]:80:80", "localhost:80:80", "+80:80", "1:2:3:4",
)  # fmt: skip


@pytest.mark.parametrize("port", PORTS)
def test_what_compose_reads_as_a_port_is_kept_as_written(port: int | str) -> None:
    assert Service(ports=[port]).ports == [port]


@pytest.mark.parametrize("port", NO_PORTS)
def test_what_compose_reads_as_no_port_is_refused(port: float | str) -> None:
    with pytest.raises(DeclarationError, match="is not a port"):
        Service(ports=[port])


def test_a_whole_number_may_have_a_decimal_point_but_an_amount_of_bytes_may_not() -> None:
    file = ComposeFile.loads("services: {a: {image: b, scale: 2.0, ports: [{target: 80.0}]}}\n")

    assert (file.services["a"].scale, file.services["a"].port_mappings[0].target) == (2, 80)
    assert "scale: 2\n" in file.to_yaml()
    with pytest.raises(DeclarationError, match=r"scale: 1\.5 is not a whole number"):
        Service(scale=1.5)  # type: ignore[arg-type] - that is the point
    # Compose takes it and drops it without a word.
    with pytest.raises(DeclarationError, match="mem_limit: expected a whole number or a text, got 1000000000"):
        ComposeFile.loads("services: {a: {image: b, mem_limit: 1e9}}\n")


@pytest.mark.slow
@pytest.mark.parametrize("first", ["Service.model_validate({'image': 'a'})", "Service(image='a')"])
def test_whatever_builds_the_first_element_of_a_process_can(first: str) -> None:
    program = f"from nself_sdk.compose import Service; print({first}.image)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "a\n"
