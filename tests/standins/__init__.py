"""Small servers that speak the protocols of the systems we read, over loopback, for the tests."""
