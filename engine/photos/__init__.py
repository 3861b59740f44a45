"""More photos of the avatar's person: their own pixels where the portrait has none."""
