"""Ask the service on this machine whether it is well: exit 0 if it answers 200, 1 if not.

`python healthcheck.py` asks /ready; `python healthcheck.py /health` asks only whether the process lives.
"""

import http.client
import os
import sys


def main() -> int:
    """Return 0 when the path given as first argument answers 200 within four seconds."""
    path = sys.argv[1] if len(sys.argv) > 1 else "/ready"
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ["PROBES_PORT"]), timeout=4)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        # Docker keeps what is printed: `docker inspect` shows it.
        print(response.status, response.read(1024).decode(errors="replace"))
    except (OSError, http.client.HTTPException) as error:
        print(f"{path}: {error}")
        return 1
    return 0 if response.status == http.client.OK else 1


if __name__ == "__main__":
    sys.exit(main())
