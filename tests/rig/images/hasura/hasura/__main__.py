"""Start the stand-in from Hasura's own environment variables."""

from hasura.server import main

main()
