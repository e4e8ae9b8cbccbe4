#!/usr/local/bin/python -IS
"""The program that the image names: the stand-in, or its health check, which is asked often and so loads nothing."""

import os
import socket
import sys

if "-health" in sys.argv:
    asked = socket.create_connection(("127.0.0.1", 3200), 5)
    asked.sendall(b"GET /ready HTTP/1.0\r\n\r\n")
    sys.exit(b" 200 " not in asked.recv(64))
os.execv("/usr/local/bin/python", ["python", "/opt/standin/tempo.py", *sys.argv[1:]])  # noqa: S606 - no shell is here
