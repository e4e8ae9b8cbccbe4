"""MinIO: buckets are made once and kept private, and whoever has a bucket of its own sees no other."""

from __future__ import annotations

import json

import pytest

from nself_sdk import Environment, Minio, Mlflow, Postgres, Project, render
from nself_sdk.errors import DeclarationError
from nself_sdk.jobs import jobs


def steps(*services: object) -> str:
    project = Project("shop")
    for service in services:
        project.add(service)
    return render(project, "prod").services["minio-setup"].entrypoint[-1]


def test_buckets_are_private_unless_asked():
    script = steps(Minio(buckets=("uploads",), public_buckets=("pictures",)))
    assert "mc anonymous set private own/uploads" in script
    assert "mc anonymous set download own/pictures" in script
    assert script.count("mc mb --ignore-existing") == 2


def test_a_list_of_an_env_file_is_read():
    assert Minio(buckets="uploads, avatars").buckets == ("uploads", "avatars")
    with pytest.raises(DeclarationError):
        Minio(buckets="../etc; rm")


def test_api_and_console_have_a_host_name_each_and_metrics_stay_inside():
    api, console = Minio().routes(Environment.named("prod"))
    assert (api.name, api.port, console.name, console.port) == ("minio", 9000, "minio-console", 9001)
    assert "/minio/v2/metrics/" in api.hidden


def test_mlflow_gets_a_user_that_sees_its_bucket_alone():
    file = render(Project("shop").add(Minio()).add(Mlflow()), "prod")
    source = next(r.source for r in file.services["minio-setup"].config_references if "mlflow" in r.target)
    policy = json.loads(file.configs[source].content)
    assert policy["Statement"][0]["Resource"] == ["arn:aws:s3:::mlflow", "arn:aws:s3:::mlflow/*"]
    assert "MINIO_ROOT_PASSWORD" not in str(file.services["mlflow"].environment_map)


def test_passwords_are_in_no_argument_of_the_rendered_file():
    script = steps(Minio(), Mlflow())
    assert "MC_HOST_own=http://minio:" in script.splitlines()[0]
    assert "mc admin user add own mlflow </run/secrets/MLFLOW_S3_PASSWORD" in script
    assert not [line for line in script.splitlines()[1:] if "$$(cat" in line]


def test_it_sees_host_and_port_as_the_client_signed_them():
    for port, host in ((443, "$host"), (8443, "$host:8443")):
        configs = render(Project("shop").add(Minio()), Environment.named("dev", https_port=port)).configs
        assert f"proxy_set_header Host {host};" in configs["nginx.conf"].content.replace("$$", "$")


@pytest.mark.parametrize("service", [Minio(), Postgres(extensions=("pg_trgm",))])
def test_a_setup_is_a_job_also_where_nobody_waits_for_it(service):
    assert jobs(render(Project("shop").add(service), "dev")) == {f"{service.name}-setup"}
