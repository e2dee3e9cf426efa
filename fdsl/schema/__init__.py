"""The YAML files, typed: frozen models that are checked when read."""
