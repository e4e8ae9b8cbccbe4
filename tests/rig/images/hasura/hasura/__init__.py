"""A stand-in for hasura/graphql-engine, for tests: its outer surface over a real Postgres. Never for real use."""

VERSION = "v2.0.0-standin"
