"""The fast twins of the plain functions, a file for each file of `scratch.nn` that needs one, and their machinery."""
