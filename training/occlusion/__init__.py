"""Occlusion matte: faces with objects of known alpha before them, to train and test the network."""
