"""What goes to and comes from other programs: image folders, archives and tables, and the authors'
CSV files.
"""
