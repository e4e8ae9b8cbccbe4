"""The messages and stubs of greeter.proto, generated from it."""
