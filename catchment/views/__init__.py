"""Story: maps, documents and workbooks made from one run."""
