"""Start the stand-in from hasura-auth's own environment variables."""

from hasura_auth.server import main

main()
