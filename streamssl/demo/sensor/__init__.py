"""The demo of sensor streams: pumps, what goes wrong with them, and the daemon's configuration."""
