"""Studies: what a paper shows, and which of our runs stand behind it."""
