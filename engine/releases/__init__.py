"""What leaves the machine: the adapter or the merged model, with everything needed to serve and verify it."""
