"""Ways to find edges, a flat file each; the loop that trains is the same for all."""
