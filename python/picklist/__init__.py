"""picklist."""
