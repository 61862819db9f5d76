"""Everything that talks to Asterisk: the FastAGI server and the tap, one pair a PBX."""
