"""What people write in YAML: typed, frozen, checked."""
