"""Names of the spaces that embeddings live in."""

NO_SPACE = "none"  # there are no networks
PROVISIONAL = "provisional"  # until the first burst is over
FIRST_SPACE = "space-1"
