"""Methods that fit an untrained network to one photograph."""
