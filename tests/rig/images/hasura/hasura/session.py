"""Who is asking: the admin secret, a JWT or nobody, turned into a role and session variables."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass

import jwt

from hasura.errors import Refused

CLAIMS = "https://hasura.io/jwt/claims"
SECRET_HEADERS = ("x-hasura-admin-secret", "x-hasura-access-key")


@dataclass(frozen=True)
class Session:
    """A role, and the x-hasura-* variables that permissions may name, in lower case."""

    role: str
    variables: Mapping[str, str]


@dataclass(frozen=True)
class Gate:
    """What HASURA_GRAPHQL_ADMIN_SECRET, _JWT_SECRET and _UNAUTHORIZED_ROLE demand."""

    secret: str
    jwt: Mapping[str, str] | None
    unauthorized_role: str

    def session(self, headers: Mapping[str, str]) -> Session:
        """Return who asks; Refused where Hasura would refuse."""
        low = {name.lower(): value for name, value in headers.items()}
        variables = {k: v for k, v in low.items() if k.startswith("x-hasura-") and k not in SECRET_HEADERS}
        given = next((low[name] for name in SECRET_HEADERS if name in low), None)
        if not self.secret or given == self.secret:
            return Session(low.get("x-hasura-role", "admin"), variables)
        if given is not None:
            raise Refused('invalid "x-hasura-admin-secret"/"x-hasura-access-key"', "access-denied", 401)
        token = low.get("authorization", "")
        if self.jwt and token.lower().startswith("bearer "):
            return self._from_token(token[7:].strip(), low.get("x-hasura-role"))
        if self.unauthorized_role:
            return Session(self.unauthorized_role, {})
        if self.jwt:
            raise Refused(
                "Missing 'Authorization' or 'Cookie' header in JWT authentication mode", "invalid-headers", 401
            )
        raise Refused("x-hasura-admin-secret/x-hasura-access-key required, but not found", "access-denied", 401)

    def _from_token(self, token: str, asked: str | None) -> Session:
        try:
            payload = jwt.decode(token, self.jwt["key"], algorithms=[self.jwt["type"]], options={"verify_aud": False})
        except jwt.ExpiredSignatureError:
            raise Refused("Could not verify JWT: JWTExpired", "invalid-jwt", 401) from None
        except jwt.PyJWTError as error:
            raise Refused(f"Could not verify JWT: {error}", "invalid-jwt", 401) from None
        found = payload.get(self.jwt.get("claims_namespace", CLAIMS))
        if found is None:
            raise Refused(f"claims key: '{CLAIMS}' not found", "jwt-missing-role-claims")
        claims = {k.lower(): v for k, v in (json.loads(found) if isinstance(found, str) else found).items()}
        role = asked or claims.get("x-hasura-default-role", "")
        if role not in claims.get("x-hasura-allowed-roles", ()):
            raise Refused("Your requested role is not in allowed roles", "access-denied", 401)
        return Session(role, {k: v for k, v in claims.items() if isinstance(v, str)})


def gate_from_environment() -> Gate:
    """Read the three variables; SystemExit with Hasura's reasons where they contradict each other."""
    secret = os.environ.get("HASURA_GRAPHQL_ADMIN_SECRET", "")
    text = os.environ.get("HASURA_GRAPHQL_JWT_SECRET", "")
    if text and not secret:
        raise SystemExit("Fatal Error: --jwt-secret requires --admin-secret (HASURA_GRAPHQL_ADMIN_SECRET) to be set")
    try:
        config = json.loads(text) if text else None
    except ValueError as error:
        raise SystemExit(f"Fatal Error: HASURA_GRAPHQL_JWT_SECRET is not JSON: {error}") from None
    if config and config["type"].startswith("HS") and len(config["key"]) * 8 < int(config["type"][2:]):
        raise SystemExit(f"Fatal Error: HASURA_GRAPHQL_JWT_SECRET: key is shorter than {config['type'][2:]} bits")
    return Gate(secret, config, os.environ.get("HASURA_GRAPHQL_UNAUTHORIZED_ROLE", ""))
