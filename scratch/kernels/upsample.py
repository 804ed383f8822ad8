"""Upsampling with the sums of backward over runs.

Which pixel a row is a copy of grows from row to row, so the rows that are copies of one pixel are next to each other,
and one ``reduceat`` adds them up.
"""
