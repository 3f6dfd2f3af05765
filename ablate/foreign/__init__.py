"""Results that other tools wrote become studies: read with care, never changed, nothing dropped in silence."""
