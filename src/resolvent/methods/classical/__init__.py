"""Methods of optimization and statistics that need no network."""
