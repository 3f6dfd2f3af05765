"""Numbers in files that any program may have written: read with bounds, nothing in them executed, nothing followed."""
