"""The dialogues: how a site joins, and how a meter or tap is added and changed."""
