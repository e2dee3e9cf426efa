"""Where results come from: what a configuration asks for, what is there, what it was made from."""
