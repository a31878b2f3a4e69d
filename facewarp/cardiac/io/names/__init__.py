"""What the names of files tell: views (short axis, long axis, labels), formats not read."""
