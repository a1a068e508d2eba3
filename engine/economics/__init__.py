"""Economics: tokens, prices, and whether distilling pays. Needs no model library and no network."""
