"""The short form shown over the screen, and the fields that several forms share."""
