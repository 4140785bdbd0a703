"""Interactive commands, while somebody types or a log grows: a session, its steps, a watcher."""
