"""What training minimizes: a comparator that needs no labels, noisy photographs alone, and the price of realism."""
