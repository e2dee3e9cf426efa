"""Readers of real labelled images, one module per published layout; fdsl.data.downstream is the way in."""
