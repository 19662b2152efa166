"""Commands that change a conversation: assignee, state, tags, contact, merge, split and move."""
