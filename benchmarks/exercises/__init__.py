"""Exercises: write the backward yourself, and be told what is wrong with it.

catalogue.py    the exercises in their order; `all_exercises()` for whoever lists them
sets/           the exercises themselves, a topic a file
cutting.py      source with blanks, cut from `scratch` by its labels when a folder is made
sheets.py       the file that a learner gets, and the folder's README
folder.py       the learner's folder: what is written into it, and the progress
hints.py        hints out of the derivation, one step each time
grading/        a learner's file before the witnesses, in a process of its own with a time limit
milestones/     networks that train on the learner's own functions
"""
