"""The pages: derivation, code and numbers side by side, as a site that a browser opens from a folder.

Nothing is written twice. A layer's page is made from the layer's file (its docstring, its statements), its trace
(`parity_tests.harness.trace`), the museum and the benchmarks' results; a lesson's page from its docstring, its section
of the course's README and its figures. So a new layer has a page once it is in the catalogue.

    discovery           which pages there are
    docstring, prose    a docstring's parts; a sentence as HTML
    mathematics         plain-text mathematics as MathML
    relations, rows     which statement undoes, reads and makes what; equations beside their statements
    examples, stepper   the numbers, and the steps through them
    topic_page, lesson_page, index_page, mistakes, classes, exercises, speed
    site                the folder: built beside the old one, then put in its place

In a lesson's docstring, a paragraph that begins with "In reinforcement learning." or "Takeaway." is set apart, and one
that begins with "Read:" is the list of what to read.
"""
