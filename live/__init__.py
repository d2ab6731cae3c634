"""Live events: sockets that tell a client at once what concerns it."""
