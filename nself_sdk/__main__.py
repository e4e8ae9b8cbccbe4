"""``python -m nself_sdk``."""

from nself_sdk.cli import main

if __name__ == "__main__":
    main()
