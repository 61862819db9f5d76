"""What both sides of Zvonok share: the Call contract, settings, the database pool, the service shell, the command."""
