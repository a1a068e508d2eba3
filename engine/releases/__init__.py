"""What leaves the machine: the adapter or the merged model, with all that is needed to serve and to trust it."""
