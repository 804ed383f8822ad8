"""Exercises: write the backward yourself, and be told what is wrong with it.

catalogue.py    the exercises in order; `all_exercises()` lists them
sets/           the exercises themselves, one file per topic
cutting.py      source with blanks, cut from `scratch` by its labels when a folder is made
sheets.py       the file that a learner gets, and the folder's README
folder.py       the learner's folder: what is written into it, and the progress
hints.py        hints taken from the derivation, one step at a time
grading/        puts a learner's file before the witnesses, in a separate process with a time limit
milestones/     networks that train on the learner's own functions
"""
