"""Where pytest looks for no doctests: scripts whose imports only the peers' environment has."""

collect_ignore = ["floors", "peers"]
