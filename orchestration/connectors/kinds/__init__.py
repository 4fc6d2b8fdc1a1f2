"""One module or package for each kind of system; the registry finds them by `CONNECTORS`."""
