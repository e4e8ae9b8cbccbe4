"""MLflow: a database of its own, and artifacts in MinIO where there is one."""

from __future__ import annotations

from nself_sdk import Minio, Mlflow, Project, render


def test_it_has_a_database_and_a_role_of_its_own():
    file = render(Project("shop").add(Mlflow()), "prod")
    sql = next(c.content for name, c in file.configs.items() if name.startswith("postgres-setup"))
    assert "CREATE DATABASE mlflow OWNER mlflow" in sql
    uri = file.services["mlflow"].environment_map["MLFLOW_BACKEND_STORE_URI"]
    assert uri == "postgresql+psycopg2://mlflow:${MLFLOW_DB_PASSWORD}@postgres:5432/mlflow"


def test_artifacts_go_to_minio_where_there_is_one_else_onto_a_volume():
    alone = render(Project("shop").add(Mlflow()), "prod").services["mlflow"]
    both = render(Project("shop").add(Mlflow()).add(Minio()), "prod").services["mlflow"]
    assert alone.environment_map["MLFLOW_ARTIFACTS_DESTINATION"] == "/artifacts"
    assert [mount.target for mount in alone.volume_mounts] == ["/artifacts"]
    assert both.environment_map["MLFLOW_ARTIFACTS_DESTINATION"] == "s3://mlflow"
    assert both.volume_mounts == []


def test_the_edge_and_the_program_agree_on_the_port():
    file = render(Project("shop").add(Mlflow()), "prod")
    assert "mlflow:5000" in next(c.content for name, c in file.configs.items() if name.startswith("nginx.conf"))
    assert file.services["mlflow"].command[-3] == "5000"
