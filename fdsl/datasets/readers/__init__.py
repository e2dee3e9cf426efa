"""Readers of real labelled images, one module per published layout; fdsl.datasets.downstream is the
way in.
"""
