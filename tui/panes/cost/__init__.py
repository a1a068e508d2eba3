"""The cost pane: does distilling pay?"""
