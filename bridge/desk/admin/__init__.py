"""The control room: inboxes, rules, agents, and what an admin watches over."""
