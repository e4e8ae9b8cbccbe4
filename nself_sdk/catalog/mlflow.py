"""MLflow: experiment tracking at ``https://mlflow.<domain>``, in a Postgres database of its own.

Sources: https://github.com/mlflow/mlflow/blob/5033d12ee11321a9d730faf6636a6f4dc774ce8a/docker/README.md (the ``-full``
image has the drivers for Postgres and S3; python, no curl; no user), https://mlflow.org/docs/latest/self-hosting/security/network/
(allowed hosts and origins, since 3.5), https://mlflow.org/docs/latest/api_reference/cli.html#mlflow-server (options and
their variables; no ``*_FILE``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from nself_sdk import compose
from nself_sdk.catalog.minio import Minio
from nself_sdk.catalog.nginx import OPERATOR, Nginx
from nself_sdk.catalog.postgres import Postgres, role_sql
from nself_sdk.environment import Environment
from nself_sdk.project import Context, Route, Secret, Service

_DB_PASSWORD = Secret(name="MLFLOW_DB_PASSWORD")
_HEALTH = "import urllib.request as r; r.urlopen('http://127.0.0.1:5000/health', timeout=4)"


class Mlflow(Service):
    """MLflow's tracking server, behind the operator's login.

    Artifacts go through the server: into a bucket of its own where a `Minio` is in the project, else onto a volume.
    A program logs in with MLFLOW_TRACKING_USERNAME=operator and MLFLOW_TRACKING_PASSWORD.
    """

    enabled_by: ClassVar[str] = "MLFLOW_ENABLED"
    variables: ClassVar[Mapping[str, str]] = {"MLFLOW_ARTIFACTS_BUCKET": "bucket"}

    name: str = "mlflow"
    image: str = "ghcr.io/mlflow/mlflow:v3.16.0-full"
    route: str = "mlflow"
    bucket: str = Field(default="mlflow", pattern=r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$")
    #: Where there is a `Minio`: the password of its own user there, which sees this bucket alone.
    bucket_password: Secret = Secret(name="MLFLOW_S3_PASSWORD")
    #: With more than one, uvicorn kills a worker that is too busy to answer it for five seconds, as when it starts.
    workers: int = Field(default=1, ge=1)
    memory: str = "2g"

    def requires(self) -> tuple[type[Service], ...]:
        return (Postgres, Nginx)

    def routes(self, environment: Environment) -> tuple[Route, ...]:  # noqa: ARG002 - the same everywhere
        return (Route(name=self.route, port=5000, max_body="1g", read_timeout=300, login=OPERATOR.name),)

    def secrets(self) -> tuple[Secret, ...]:
        return (_DB_PASSWORD, self.bucket_password, OPERATOR)

    def sql(self) -> str:
        return (
            role_sql("mlflow", _DB_PASSWORD.name) + "SELECT 'CREATE DATABASE mlflow OWNER mlflow' "  # noqa: S608 - constant
            "WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'mlflow') \\gexec\n"
        )

    def part(self, context: Context) -> compose.ComposeFile:
        stores = context.every(Minio)[:1]
        secrets = [_DB_PASSWORD, *([self.bucket_password] if stores else [])]
        service = compose.Service(
            image=self.image,
            command=["mlflow", "server", "--host", "0.0.0.0", "--port", "5000", "--workers", str(self.workers)],  # noqa: S104 - inside
            environment={**self._variables(context), **self._artifacts(context), **self.environment},
            depends_on={**context.the(Postgres).ready(), **(stores[0].ready() if stores else {})},
            volumes=None if stores else [f"{self.name}-data:/artifacts"],
            cap_drop=["ALL"],
            # Each check starts a Python, and it takes seconds to start anyway: asked more often, it would start later.
            healthcheck=compose.Healthcheck.command("python", "-c", _HEALTH, start_period="3m", start_interval="2s"),
            stop_grace_period="30s",
            deploy=self.limits,
        )
        return compose.ComposeFile(
            services={self.name: service},
            volumes={} if stores else {f"{self.name}-data": compose.Volume()},
            secrets={secret.name: compose.Secret(environment=secret.name) for secret in secrets},
        )

    def _variables(self, context: Context) -> dict[str, str]:
        environment, postgres = context.environment, context.the(Postgres)
        host = environment.host(self.route)
        names = (host, f"{host}:*", self.name, f"{self.name}:*", "localhost:*", "127.0.0.1:*")
        return {
            "MLFLOW_BACKEND_STORE_URI": (
                f"postgresql+psycopg2://mlflow:${{{_DB_PASSWORD.name}}}@{postgres.name}:5432/mlflow"
            ),
            "MLFLOW_SERVER_ALLOWED_HOSTS": ",".join(names),
            "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": environment.url(self.route, ""),
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }

    def _artifacts(self, context: Context) -> dict[str, str]:
        for store in context.every(Minio)[:1]:
            return {
                "MLFLOW_ARTIFACTS_DESTINATION": f"s3://{self.bucket}",
                "MLFLOW_S3_ENDPOINT_URL": store.url,
                "AWS_ACCESS_KEY_ID": self.name,
                "AWS_SECRET_ACCESS_KEY": f"${{{self.bucket_password.name}}}",
                "AWS_DEFAULT_REGION": store.region,
            }
        return {"MLFLOW_ARTIFACTS_DESTINATION": "/artifacts"}
