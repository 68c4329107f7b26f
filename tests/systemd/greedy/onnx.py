"""Here, so that the daemon begins a build; its child never gets so far as to use it."""
