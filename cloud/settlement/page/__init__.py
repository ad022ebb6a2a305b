"""A statement as people read, print and file it: a page with a picture, and a table for a spreadsheet."""
