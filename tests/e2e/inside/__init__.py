"""Programs that the tests run inside the cluster, with the pet's own image: it needs no other."""
