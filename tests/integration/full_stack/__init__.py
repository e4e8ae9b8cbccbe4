"""The full stack, once, for all tests of this folder: see conftest.py."""
