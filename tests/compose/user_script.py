"""What a user writes: touched by a type checker only, attribute by attribute."""

from __future__ import annotations

from datetime import timedelta
from typing import assert_type

from nself_sdk import compose
from nself_sdk.compose import ComposeFile, Service

labels: dict[str, str] = {"team": "shop"}
ports: list[str] = ["80:80"]
service = Service(
    image="nginx:1.29",
    build=compose.Build(context=".", args={"VERSION": "1"}, target="final"),
    command=["nginx", "-g", "daemon off;"],
    entrypoint="/entry.sh",
    environment={"A": 1, "B": None, "C": True},
    labels=labels,
    ports=[compose.Port(8080, target=80, protocol="tcp"), "443:443", 9000],
    expose=[3000],
    volumes=["data:/data", compose.ServiceVolume(type="bind", source=".", target="/src", read_only=True)],
    configs=[compose.ServiceConfig(source="site", target="/etc/site", mode=0o440)],
    secrets=["password"],
    depends_on={"db": compose.DependsOn(condition="service_healthy")},
    networks={"back": compose.ServiceNetwork(aliases=["www"]), "front": None},
    healthcheck=compose.Healthcheck.http("/healthz", interval="5s", retries=3),
    deploy=compose.Deploy(
        replicas=2,
        resources=compose.Resources(limits=compose.Limits(cpus="0.5", memory="256M")),
        update_config=compose.UpdateConfig(order="start-first"),
    ),
    logging=compose.Logging(driver="local", options={"max-size": "1m"}),
    ulimits={"nofile": compose.Ulimit(soft=1, hard=2), "nproc": 5},
    restart="unless-stopped",
    stop_grace_period="1m30s",
    mem_limit="512m",
    cap_drop=["ALL"],
    read_only=True,
    tmpfs="/run",
    user="1000",
    profiles=["web"],
    post_start=[compose.Hook(command=["true"])],
    develop=compose.Develop(watch=[compose.Watch(path=".", action="sync", target="/app")]),
)
file = ComposeFile(
    name="shop",
    services={"web": service},
    networks={"back": compose.Network(internal=True)},
    volumes={"data": None},
    configs={"site": compose.Config.inline("server {}")},
    secrets={"password": compose.Secret(environment="PASSWORD")},
) + ComposeFile.loads("services: {}")

assert_type(file, ComposeFile)
assert_type(file.services["web"], Service)
assert_type(service.image, str | None)
assert_type(service.hostname, str | None)
assert_type(service.environment_map, dict[str, str | None])
assert_type(service.label_map, dict[str, str])
assert_type(service.port_mappings[0], compose.Port)
assert_type(service.port_mappings[0].published, int | str | None)
assert_type(service.volume_mounts[0].source, str | None)
assert_type(service.build_settings, compose.Build | None)
assert_type(service.env_files, list[compose.EnvFile])
assert_type(service.device_mappings[0].source, str)
assert_type(service.ulimit_map, dict[str, compose.Ulimit])
assert_type(service.extra_host_map, dict[str, list[str]])
assert_type(service.depends_on_map["db"], compose.DependsOn)
assert_type(service.network_map["back"], compose.ServiceNetwork)
assert_type(service.config_references[0], compose.ServiceConfig)
assert_type(service.secret_references[0], compose.ServiceSecret)
assert_type(service.replace(image="b"), Service)
assert_type(file.map_services(lambda _, one: one.replace(init=True)), ComposeFile)
assert_type(file.owned_by("me"), ComposeFile)
assert_type(file.to_yaml(), str)
assert_type(compose.duration("5s"), timedelta)
assert_type(compose.byte_size("5m"), int)
assert service.deploy is not None
assert service.deploy.resources is not None
assert_type(service.deploy.resources.limits, compose.Limits | None)
assert service.healthcheck is not None
assert_type(service.healthcheck.interval, str | None)

Service(imge="typo")  # type: ignore[call-arg]
Service(ports=[object()])  # type: ignore[list-item]
compose.DependsOn(condition="started")  # type: ignore[arg-type]
