"""MinIO: S3 storage at ``https://minio.<domain>``, its console at ``https://minio-console.<domain>``.

MinIO's own images are no longer published; this is the maintained fork, a drop-in
(https://silo.pgsty.com, https://github.com/pgsty/silo/issues/9: with ``mc`` since 2026-03-25).
Sources: https://github.com/pgsty/silo/blob/31ba01c5d5b29d39a93e02794381aed7f6199f74/Dockerfile.goreleaser
(ubi-micro: a shell, mc; MC_CONFIG_DIR; /data; no user), https://docs.min.io/community/minio-object-store/reference/
(``*_FILE``, MINIO_PROMETHEUS_AUTH_TYPE, MINIO_BROWSER_REDIRECT_URL; mc mb, anonymous, admin).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, ClassVar, Protocol, runtime_checkable

from pydantic import BeforeValidator, Field

from nself_sdk import compose
from nself_sdk.catalog.nginx import Nginx
from nself_sdk.environment import Environment
from nself_sdk.offers import RateLimit
from nself_sdk.project import Context, Metrics, Route, Secret, Service

PASSWORD = Secret(name="MINIO_ROOT_PASSWORD")

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html, without dots.
Bucket = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$")]


def _listed(value: object) -> object:
    return tuple(filter(None, re.split(r"[,\s]+", value))) if isinstance(value, str) else value


Buckets = Annotated[tuple[Bucket, ...], BeforeValidator(_listed)]


@runtime_checkable
class BucketUser(Protocol):
    """A service that keeps objects in a bucket of its own where there is a `Minio`, as a user that sees no other."""

    #: Its user's access key, too.
    name: str
    bucket: str
    #: Its user's secret key.
    bucket_password: Secret


class Minio(Service):
    """MinIO on a volume of its own. The job ``<name>-setup`` makes the buckets once, and keeps them private.

    Objects of ``public_buckets`` can be read by anybody who knows their names.
    """

    enabled_by: ClassVar[str] = "MINIO_ENABLED"
    variables: ClassVar[Mapping[str, str]] = {
        "STORAGE_ROUTE": "route",
        "STORAGE_CONSOLE_ROUTE": "console_route",
        "RATE_LIMIT_UPLOAD_RATE": "rate_limit",
        "MINIO_ROOT_USER": "user",
        "MINIO_DEFAULT_BUCKETS": "buckets",
    }

    name: str = "minio"
    image: str = "pgsty/minio:RELEASE.2026-08-04T00-00-00Z"
    route: str = "minio"
    console_route: str = "minio-console"
    user: str = Field(default="minio", pattern=r"^[A-Za-z0-9_-]{3,64}$")
    buckets: Buckets = ("uploads",)
    public_buckets: Buckets = Field(default=(), examples=["pictures"])
    region: str = Field(default="us-east-1", pattern=r"^[a-z0-9-]+$")
    rate_limit: RateLimit = ""
    #: The largest object that can be sent in one request, in nginx's notation; larger ones go in parts.
    max_upload: str = "1g"
    memory: str = "1g"

    def requires(self) -> tuple[type[Service], ...]:
        return (Nginx,)

    def routes(self, environment: Environment) -> tuple[Route, ...]:  # noqa: ARG002 - the same everywhere
        # Its metrics need no token, so that Prometheus can read them: they are not for the outside.
        hidden = ("/minio/v2/metrics/", "/minio/metrics/", "/minio/prometheus/")
        api = Route(
            name=self.route,
            port=9000,
            max_body=self.max_upload,
            read_timeout=300,
            hidden=hidden,
            rate_limit=self.rate_limit,
        )
        return (api, Route(name=self.console_route, port=9001, max_body=self.max_upload))

    def metrics(self, environment: Environment) -> tuple[Metrics, ...]:  # noqa: ARG002 - the same everywhere
        return (Metrics(port=9000, path="/minio/v2/metrics/cluster"),)

    def secrets(self) -> tuple[Secret, ...]:
        return (PASSWORD,)

    @property
    def url(self) -> str:
        """Where the other services of the stack find it."""
        return f"http://{self.name}:9000"

    def ready(self) -> dict[str, compose.DependsOn]:
        """What a service that uses a bucket waits for."""
        return {f"{self.name}-setup": compose.DependsOn(condition="service_completed_successfully")}

    def part(self, context: Context) -> compose.ComposeFile:
        users = tuple(service for service in context.services if isinstance(service, BucketUser))
        secrets = [PASSWORD.name, *(user.bucket_password.name for user in users)]
        texts = {f"{self.name}-policy-{user.name}.json": _policy(user.bucket) for user in users}
        return compose.ComposeFile(
            services={self.name: self._server(context), f"{self.name}-setup": self._job(users, secrets)},
            volumes={f"{self.name}-data": compose.Volume()},
            configs={name: compose.Config.inline(text) for name, text in texts.items()},
            secrets={name: compose.Secret(environment=name) for name in secrets},
        )

    def _server(self, context: Context) -> compose.Service:
        return compose.Service(
            image=self.image,
            command=["server", "/data", "--console-address", ":9001"],
            environment={
                "MINIO_ROOT_USER": self.user,
                "MINIO_ROOT_PASSWORD_FILE": f"/run/secrets/{PASSWORD.name}",
                "MINIO_REGION": self.region,
                "MINIO_PROMETHEUS_AUTH_TYPE": "public",
                "MINIO_BROWSER_REDIRECT_URL": context.environment.url(self.console_route, ""),
                "MINIO_UPDATE": "off",
                **self.environment,
            },
            secrets=[PASSWORD.name],
            volumes=[f"{self.name}-data:/data"],
            cap_drop=["ALL"],
            healthcheck=compose.Healthcheck.command("mc", "ready", "local", start_period="1m"),
            stop_grace_period="1m",
            deploy=self.limits,
        )

    def _job(self, users: tuple[BucketUser, ...], secrets: list[str]) -> compose.Service:
        configs = [
            compose.ServiceConfig(source=f"{self.name}-policy-{user.name}.json", target=f"/policies/{user.name}.json")
            for user in users
        ]
        return compose.Service(
            image=self.image,
            entrypoint=["sh", "-euc", "\n".join(self._steps(users))],
            environment={"HOME": "/tmp", "MC_CONFIG_DIR": "/tmp/.mc"},  # noqa: S108 - in the container
            user="1000:1000",
            secrets=list(secrets),
            configs=configs or None,
            # The image declares a volume that the job has no use for.
            tmpfs=["/data"],
            cap_drop=["ALL"],
            depends_on={self.name: compose.DependsOn(condition="service_healthy")},
            restart="no",
            deploy=self.replace(memory="128m").limits,
        )

    def _steps(self, users: tuple[BucketUser, ...]) -> list[str]:
        """What the job runs; it may run any number of times."""
        host = f'http://{self.user}:"$$(cat /run/secrets/{PASSWORD.name})"@{self.name}:9000'
        steps = [f"export MC_HOST_own={host}"]
        for bucket in sorted({*self.buckets, *self.public_buckets, *(user.bucket for user in users)}):
            access = "download" if bucket in self.public_buckets else "private"
            steps += [f"mc mb --ignore-existing own/{bucket}", f"mc anonymous set {access} own/{bucket}"]
        for user in users:
            steps += [
                # Its secret key through standard input: an argument would show in the host's process list.
                f"mc admin user add own {user.name} </run/secrets/{user.bucket_password.name}",
                f"mc admin policy create own {user.name} /policies/{user.name}.json",
                # Attaching what is attached already is an error of its own.
                f"mc admin policy detach own {user.name} --user {user.name} || true",
                f"mc admin policy attach own {user.name} --user {user.name}",
            ]
        return steps


def _policy(bucket: str) -> str:
    """An S3 policy: everything in that bucket, nothing else."""
    resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    statement = {"Effect": "Allow", "Action": ["s3:*"], "Resource": resources}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=2)
