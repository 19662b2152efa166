"""The ways mail comes in."""
