"""Commands and alarms of the control room, for admins."""
