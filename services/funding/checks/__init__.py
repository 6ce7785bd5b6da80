"""What was really paid, compared with what was due: each difference in a class whose test anybody can apply by hand."""
