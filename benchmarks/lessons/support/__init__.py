"""What the lessons share: a board to write on, drawing, and measurements too long for a lesson's own file."""
