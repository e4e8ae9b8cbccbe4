"""A stand-in for nhost/hasura-auth, for tests: sign-up and sign-in over a real Postgres. Never for real use."""

VERSION = "0.0.0-standin"
