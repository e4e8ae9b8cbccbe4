"""nself_sdk: compose a backend stack in typed Python and deploy it with Docker."""
