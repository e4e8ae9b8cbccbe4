"""The rig's images keep the contracts of the images whose names they bear."""

from __future__ import annotations

import json
import sys
import time
import urllib.request
import uuid
from typing import Any

import pytest

from rig.base import pip_setting
from rig.images import describe
from rig.recipes import recipe_for, split
from rig.shell import RigError, docker

POSTGRES, REDIS, NGINX = "postgres:16.15-alpine3.24", "redis:7.2.16-alpine3.21", "nginx:1.30.6-alpine"
HASURA, AUTH, PYTHON = "hasura/graphql-engine:v2.51.9", "nhost/auth:0.49.1", "python:3.13-slim"
ADMIN_SECRET = "test-admin-secret"
JWT_SECRET = json.dumps({"type": "HS256", "key": "k" * 64})
# What a careful project gives Hasura and Auth: roles of their own that own one schema each, no superuser.
SETUP = """
create extension citext; create extension pgcrypto;
create role hasura login password 'h'; create role auth login password 'a';
create schema hdb_catalog authorization hasura; create schema auth authorization auth;
grant usage on schema auth to hasura; grant usage, create on schema public to hasura;
alter default privileges for role auth in schema auth grant all on tables to hasura;
create table author (id serial primary key, name text not null);
create table post (id serial primary key, title text not null, owner uuid, author_id int references author);
insert into author (name) values ('Ada'), ('Bob');
insert into post (title, author_id) values ('One', 1), ('Two', 1), ('Three', 2);
grant all on all tables in schema public to hasura; grant all on all sequences in schema public to hasura;
"""


def test_a_reference_is_split_as_docker_does():
    assert split("nginx:1.30-alpine") == ("nginx", "1.30-alpine")
    assert split("docker.io/library/nginx") == ("nginx", "latest")
    assert split("nhost/auth:0.49.1@sha256:abc") == ("nhost/auth", "0.49.1")
    assert split("localhost:5000/a/b") == ("localhost:5000/a/b", "latest")


def test_a_tag_that_no_package_is_true_to_is_refused():
    with pytest.raises(RigError, match="packages carry postgres 16 alone"):
        recipe_for("postgres:17.2-alpine")
    with pytest.raises(RigError, match="no recipe"):
        recipe_for("example/unknown:1")


def test_a_recipe_changes_its_key_with_what_it_is_built_on():
    hasura = recipe_for(HASURA)
    assert hasura.needs == ("standins",)
    assert f"FROM nself-rig/standins:{recipe_for(PYTHON).key}" not in hasura.dockerfile()
    assert hasura.dockerfile().count("FROM nself-rig/standins:") == 1


def test_settings_of_pip_are_read_as_pip_lists_them():
    listed = "global.cert='/etc/file.crt'\n:env:.cert='/etc/other.crt'\nglobal.index-url='https://a.example/?b=c'\n"
    assert pip_setting(listed, "cert") == "/etc/other.crt"
    assert pip_setting(listed, "index-url") == "https://a.example/?b=c"
    assert pip_setting("", "cert") == ""


class Stack:
    """Postgres, Redis, Hasura and Auth on a network of their own."""

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, service: str, image: str, *options: str) -> str:
        label = f"dev.nself.rig.run={self.name}"
        docker("run", "-d", "--name", f"{self.name}-{service}", "--network", self.name, "--network-alias", service,
               "--label", label, *options, image)  # fmt: skip
        return f"{self.name}-{service}"

    def url(self, service: str, port: int) -> str:
        shown = docker("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}",
                       f"{self.name}-{service}")  # fmt: skip
        return f"http://{shown}:{port}"

    def exec(self, service: str, *command: str) -> str:
        return docker("exec", f"{self.name}-{service}", *command)


def call(url: str, body: Any = None, **headers: str) -> Any:
    data = None if body is None else json.dumps(body).encode()
    sent = {"content-type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, data=data, headers=sent)  # noqa: S310 (our own containers)
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        text = answer.read().decode()
    try:
        return json.loads(text)
    except ValueError:
        return text


def eventually(what: Any, seconds: float = 30) -> Any:
    until = time.monotonic() + seconds
    while True:
        try:
            return what()
        except (OSError, RigError):
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


@pytest.fixture(scope="module")
def stack(rig_images):
    images = rig_images(POSTGRES, REDIS, NGINX, HASURA, AUTH, PYTHON)
    sys.stdout.write(describe(images) + "\n")
    made = Stack(f"nself-rig-{uuid.uuid4().hex[:8]}")
    docker("network", "create", "--label", f"dev.nself.rig.run={made.name}", made.name)
    try:
        made.run("redis", REDIS)
        made.run("postgres", POSTGRES, "-e", "POSTGRES_PASSWORD=p", "-e", "POSTGRES_DB=shop")
        eventually(lambda: made.exec("postgres", "pg_isready", "-q", "-h", "127.0.0.1"))
        made.exec("postgres", "psql", "-U", "postgres", "-d", "shop", "-v", "ON_ERROR_STOP=1", "-c", SETUP)
        shared = ("-e", f"HASURA_GRAPHQL_ADMIN_SECRET={ADMIN_SECRET}", "-e", f"HASURA_GRAPHQL_JWT_SECRET={JWT_SECRET}")
        made.run("hasura", HASURA, *shared, "--user", "1001:1001",
                 "-e", "HASURA_GRAPHQL_DATABASE_URL=postgresql://hasura:h@postgres:5432/shop",
                 "-e", "HASURA_GRAPHQL_UNAUTHORIZED_ROLE=public")  # fmt: skip
        eventually(lambda: made.exec("hasura", "curl", "-fsS", "http://127.0.0.1:8080/healthz"))
        made.run("auth", AUTH, *shared, "--user", "1000:1000", "-e", f"AUTH_ENCRYPTION_KEY={'0' * 64}",
                 "-e", "AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED=false",
                 "-e", "POSTGRES_CONNECTION=postgresql://auth:a@postgres:5432/shop?sslmode=disable",
                 "-e", "HASURA_GRAPHQL_GRAPHQL_URL=http://hasura:8080/v1/graphql")  # fmt: skip
        eventually(lambda: made.exec("auth", "wget", "--spider", "-q", "http://127.0.0.1:4000/healthz"))
        yield made
    finally:
        label = f"label=dev.nself.rig.run={made.name}"
        left = docker("ps", "-aq", "--filter", label).split()
        if left:
            docker("rm", "-fv", *left)
        docker("network", "rm", made.name)


def graphql(stack: Stack, query: str, **headers: str) -> Any:
    return call(f"{stack.url('hasura', 8080)}/v1/graphql", {"query": query}, **headers)


def metadata(stack: Stack, kind: str, **args: Any) -> Any:
    url = f"{stack.url('hasura', 8080)}/v1/metadata"
    return call(url, {"type": kind, "args": {"source": "default", **args}}, x_hasura_admin_secret=ADMIN_SECRET)


@pytest.mark.docker
def test_postgres_and_redis_are_the_real_programs(stack):
    version = stack.exec("postgres", "psql", "-U", "postgres", "-d", "shop", "-Atc", "show server_version")
    assert version.startswith("16.")
    assert stack.exec("postgres", "id", "-u", "postgres") == "70"
    stack.exec("redis", "redis-cli", "set", "key", "value")
    assert stack.exec("redis", "redis-cli", "get", "key") == "value"


@pytest.mark.docker
def test_nginx_knows_the_directives_of_today(rig_images):
    rig_images(NGINX)
    config = "events {} http { server { listen 443 ssl; http2 on; ssl_reject_handshake on; } }"
    docker("run", "--rm", NGINX, "sh", "-c", f"echo '{config}' > /tmp/n && nginx -t -c /tmp/n && curl --version")


@pytest.mark.docker
def test_hasura_answers_tracked_tables_with_their_relationships(stack):
    metadata(stack, "pg_track_tables", tables=[{"table": "author"}, {"table": "post"}])
    metadata(stack, "pg_create_object_relationship", table="post", name="author",
             using={"foreign_key_constraint_on": "author_id"})  # fmt: skip
    metadata(stack, "pg_create_array_relationship", table="author", name="posts",
             using={"foreign_key_constraint_on": {"table": "post", "column": "author_id"}})  # fmt: skip
    query = '{ author(where: {name: {_eq: "Ada"}}) { name posts(order_by: {id: desc}, limit: 1) { title } } }'
    answer = graphql(stack, query, x_hasura_admin_secret=ADMIN_SECRET)
    assert answer == {"data": {"author": [{"name": "Ada", "posts": [{"title": "Two"}]}]}}
    counted = graphql(stack, "{ post_aggregate { aggregate { count } } }", x_hasura_admin_secret=ADMIN_SECRET)
    assert counted == {"data": {"post_aggregate": {"aggregate": {"count": 3}}}}
    refused = graphql(stack, "{ post { title } }", x_hasura_admin_secret="wrong")
    assert refused["errors"][0]["extensions"]["code"] == "access-denied"
    nothing = graphql(stack, "{ post { title } }")
    assert nothing["errors"][0]["extensions"]["code"] == "validation-failed"


@pytest.mark.docker
def test_a_token_of_auth_opens_hasura_within_its_permissions(stack):
    auth = stack.url("auth", 4000)
    person = {"email": f"{uuid.uuid4().hex}@example.com", "password": "a long password"}
    session = call(f"{auth}/signup/email-password", person)["session"]
    assert call(f"{auth}/signin/email-password", person)["session"]["user"]["id"] == session["user"]["id"]
    again = call(f"{auth}/token", {"refreshToken": session["refreshToken"]})
    bearer = {"authorization": f"Bearer {again['accessToken']}"}
    assert call(f"{auth}/user", **bearer)["email"] == person["email"]
    own = {"owner": {"_eq": "X-Hasura-User-Id"}}
    metadata(stack, "pg_create_select_permission", table="post", role="user",
             permission={"columns": ["id", "title"], "filter": own})  # fmt: skip
    metadata(stack, "pg_create_insert_permission", table="post", role="user",
             permission={"columns": ["title"], "check": own, "set": {"owner": "X-Hasura-User-Id"}})  # fmt: skip
    graphql(stack, 'mutation { insert_post_one(object: {title: "Mine"}) { id } }', **bearer)
    assert graphql(stack, "{ post { title } }", **bearer) == {"data": {"post": [{"title": "Mine"}]}}
    users = graphql(stack, "{ auth_users { email } }", x_hasura_admin_secret=ADMIN_SECRET)
    assert {"email": person["email"]} in users["data"]["auth_users"]


@pytest.mark.docker
def test_stand_ins_say_so_and_end_in_grace(stack):
    assert "standin" in call(f"{stack.url('hasura', 8080)}/v1/version")["version"]
    assert "standin" in call(f"{stack.url('auth', 4000)}/version")["version"]
    for service in ("auth", "hasura"):
        docker("stop", "-t", "10", f"{stack.name}-{service}")
        assert docker("inspect", "--format", "{{.State.ExitCode}}", f"{stack.name}-{service}") == "0"
        docker("start", f"{stack.name}-{service}")
