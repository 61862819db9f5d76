"""Everything that talks to people: WebSocket delivery, the pages, their own history."""
