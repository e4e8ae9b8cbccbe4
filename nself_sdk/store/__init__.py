"""store: the project folder on disk, and nothing of Docker.

::

    stack.py                        project = Project(...), or def project(env)
    .env, .env.dev, .env.local      variables (see `nself_sdk.store.envfiles`)
    .environments/<env>/.env        variables of that environment
    .environments/<env>/.env.secrets    secrets, 0600
    .environments/<env>/server.json     where its Docker engine is
    .environments/<env>/tls/            fullchain.pem and privkey.pem
    services/<name>/                custom services' code
    docker-compose.yml, nginx/ ...  rendered
"""

from nself_sdk.store.folder import ProjectFolder
from nself_sdk.store.server import Server

__all__ = ["ProjectFolder", "Server"]
