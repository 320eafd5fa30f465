"""`python -m streamssl`: the command line."""

from streamssl.cli.app import main

if __name__ == "__main__":
    main()
